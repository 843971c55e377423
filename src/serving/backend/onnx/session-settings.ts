import { cpus } from 'node:os';
import { didYouMean, ServingError } from '../../../core/index.js';
import { coreQuota } from '../../../machine/index.js';
import { CARRIER_SETTINGS, type CarrierSetting } from './carrier/choose-carrier.js';

/** A version's backend parameters, read and checked. Absent = ONNX Runtime's own default. */
export interface SessionSettings {
  /** `GraphOptimizationLevel`: 0 none, 1 basic, 2 extended, 99 all. */
  readonly graphOptimization: number;
  /** `ExecutionMode`: 0 sequential, 1 parallel. */
  readonly executionMode: number;
  /** 0 = as many as ONNX Runtime finds cores; never so where a container's quota allows less. */
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  /** The version names its threads, so it shares none with others where there is a global pool. */
  readonly ownThreads: boolean;
  readonly memArena: boolean | undefined;
  readonly memPattern: boolean | undefined;
  /** Entries of the session's and of each run's configuration. */
  readonly sessionConfig: ReadonlyMap<string, string>;
  readonly runConfig: ReadonlyMap<string, string>;
  /** How runs are carried. */
  readonly carrier: CarrierSetting;
  /** Subnormal numbers count as zero in the threads that run the model, which are its own then. */
  readonly denormalsOff: boolean;
  /** Options of the CUDA provider given as backend parameters (Triton's older spelling). */
  readonly cudaOptions: Readonly<Record<string, string>>;
}

/** What a parameter does to the settings while they are read. */
interface Draft {
  executionMode: number;
  intraOpThreads: number;
  interOpThreads: number;
  ownThreads: boolean;
  memArena: boolean | undefined;
  memPattern: boolean | undefined;
  sessionConfig: Map<string, string>;
  runConfig: Map<string, string>;
  carrier: CarrierSetting;
  denormalsOff: boolean;
  cudaOptions: Record<string, string>;
}

type Apply = (draft: Draft, value: string, name: string) => void;

const MAX_THREADS = 1024;
const SHRINKAGE = 'memory.enable_memory_arena_shrinkage';

/**
 * Triton's parameters of its ONNX Runtime backend, with its meanings
 * (https://github.com/triton-inference-server/onnxruntime_backend README and src/onnxruntime.cc).
 */
const PARAMETERS: Readonly<Record<string, Apply>> = {
  intra_op_thread_count: (draft, value, name) => {
    draft.intraOpThreads = integer(value, name, 0, MAX_THREADS);
    draft.ownThreads = true;
  },
  inter_op_thread_count: (draft, value, name) => {
    draft.interOpThreads = integer(value, name, 0, MAX_THREADS);
    draft.ownThreads = true;
  },
  execution_mode: (draft, value, name) => {
    draft.executionMode = integer(value, name, 0, 1);
  },
  enable_mem_arena: (draft, value, name) => {
    draft.memArena = boolean(value, name);
  },
  enable_mem_pattern: (draft, value, name) => {
    draft.memPattern = boolean(value, name);
  },
  carrier: (draft, value, name) => {
    const setting = CARRIER_SETTINGS.find((known) => known === value);
    if (setting === undefined) {
      const known = CARRIER_SETTINGS.join(', ');
      throw new ServingError('MODEL_INVALID', `backend parameter '${name}': expected one of ${known}, got '${value}'`);
    }
    draft.carrier = setting;
  },
  // Not ONNX Runtime's own entry: that changes the thread that creates the first session, and no other.
  'session.set_denormal_as_zero': (draft, value, name) => {
    draft.denormalsOff = boolean(value, name);
  },
  // One session serves all instances of a device here in any case: the answers are the same either way.
  share_session_between_instances: (_, value, name) => void boolean(value, name),
  cudnn_conv_algo_search: (draft, value, name) => {
    draft.cudaOptions.cudnn_conv_algo_search = pick(value, name, ['EXHAUSTIVE', 'HEURISTIC', 'DEFAULT']);
  },
  arena_extend_strategy: (draft, value, name) => {
    draft.cudaOptions.arena_extend_strategy = pick(value, name, ['kNextPowerOfTwo', 'kSameAsRequested']);
  },
  gpu_mem_limit: (draft, value) => {
    draft.cudaOptions.gpu_mem_limit = value;
  },
  do_copy_in_default_stream: (draft, value, name) => {
    draft.cudaOptions.do_copy_in_default_stream = boolean(value, name) ? '1' : '0';
  },
  [SHRINKAGE]: (draft, value, name) => {
    draft.runConfig.set(name, value);
  },
};

/** Entries of a session's configuration that pass as they are (onnxruntime_session_options_config_keys.h). */
const SESSION_CONFIG: ReadonlySet<string> = new Set([
  'session.allow_released_opsets_only',
  'session.debug_layout_transformation',
  'session.disable_aot_function_inlining',
  'session.disable_cpu_ep_fallback',
  'session.disable_double_qdq_remover',
  'session.disable_prepacking',
  'session.disable_qdq_constant_folding',
  'session.disable_quant_qdq',
  'session.dynamic_block_base',
  'session.enable_dq_matmulnbits_fusion',
  'session.enable_quant_qdq_cleanup',
  'session.force_spinning_stop',
  'session.gqa_value_layout',
  'session.graph_optimizations_loop_level',
  'session.inter_op.allow_spinning',
  'session.inter_op.spin_backoff_max',
  'session.inter_op.spin_duration_us',
  'session.intra_op.allow_spinning',
  'session.intra_op.spin_backoff_max',
  'session.intra_op.spin_duration_us',
  'session.intra_op_thread_affinities',
  'session.load_model_format',
  'session.qdq_matmulnbits_accuracy_level',
  'session.qdq_matmulnbits_block_size',
  'session.qdqisint8allowed',
  'session.strict_shape_type_inference',
  'session.use_deterministic_compute',
  'session.use_device_allocator_for_initializers',
  'session.use_memory_mapped_ort_model',
  'session.x64quantprecision',
  'optimization.disable_specified_optimizers',
  'optimization.enable_cast_chain_elimination',
  'optimization.enable_gelu_approximation',
  'mlas.disable_kleidiai',
  'mlas.use_lut_gemm',
]);

const WRITES = 'it makes the server write files';
const READS = 'it makes the server read files outside the version';
const CONTEXT = 'compiled models are not supported';

/** Entries that ONNX Runtime knows and this engine refuses, with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  'session.use_env_allocators': 'sessions have an arena of their own here',
  'session.intra_op_num_threads': 'use intra_op_thread_count',
  'session.inter_op_num_threads': 'use inter_op_thread_count',
  'session.execution_mode': 'use execution_mode',
  'session.enable_cpu_mem_arena': 'use enable_mem_arena',
  'session.enable_mem_pattern': 'use enable_mem_pattern',
  'session.graph_optimization_level': 'use optimization { graph { level } }',
  'session.enable_profiling': WRITES,
  'session.collect_node_memory_stats_to_file': WRITES,
  'session.optimized_model_filepath': WRITES,
  'session.optimized_model_external_initializers_file_name': WRITES,
  'session.save_external_prepacked_constant_initializers': WRITES,
  'session.save_model_format': WRITES,
  'session.model_external_initializers_file_folder_path': READS,
  'session.node_partition_config_file': READS,
  'session.record_ep_graph_assignment_info': 'it is on in any case',
  'ep.context_enable': CONTEXT,
  'ep.context_file_path': CONTEXT,
  'ep.context_embed_mode': CONTEXT,
};

/** One thread inside a node and no spinning: parallelism comes from instances. `decisions/0002` has the reason. */
const DEFAULT_INTRA_OP_THREADS = 1;

/**
 * Reads backend parameters and the graph level (Triton: -1 basic, 1 extended, 2 none; absent = all). Throws
 * `MODEL_INVALID` for a name or value that has no meaning, naming the nearest known one.
 */
export function readSessionSettings(
  parameters: Readonly<Record<string, string>>,
  graphLevel: number | undefined,
  machine: CoreFacts = { cores: cpus().length, quota: coreQuota() },
): SessionSettings {
  const draft: Draft = {
    executionMode: 0,
    intraOpThreads: DEFAULT_INTRA_OP_THREADS,
    interOpThreads: 0,
    ownThreads: false,
    memArena: undefined,
    memPattern: undefined,
    sessionConfig: new Map([
      ['session.intra_op.allow_spinning', '0'],
      ['session.inter_op.allow_spinning', '0'],
    ]),
    runConfig: new Map(),
    carrier: 'auto',
    denormalsOff: false,
    cudaOptions: {},
  };
  for (const [name, value] of Object.entries(parameters)) {
    const apply = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
    if (apply !== undefined) apply(draft, value, name);
    else if (SESSION_CONFIG.has(name)) draft.sessionConfig.set(name, value);
    else throw unknownParameter(name);
  }
  if (draft.memArena === false && draft.runConfig.has(SHRINKAGE)) {
    throw new ServingError(
      'MODEL_INVALID',
      `backend parameter '${SHRINKAGE}' needs the arena that enable_mem_arena turns off`,
    );
  }
  for (const threads of ['intraOpThreads', 'interOpThreads'] as const) {
    draft[threads] = withinQuota(draft[threads], machine);
  }
  if (draft.denormalsOff) withOwnThreads(draft);
  return { ...draft, graphOptimization: graphOptimization(graphLevel) };
}

/** Only threads that do nothing else may take subnormal numbers for zero: one that parses requests would read them so. */
function withOwnThreads(draft: Draft): void {
  const name = 'session.set_denormal_as_zero';
  if (draft.carrier !== 'auto' && draft.carrier !== 'thread') {
    throw new ServingError('MODEL_INVALID', `backend parameter '${name}' needs carrier thread, not ${draft.carrier}`);
  }
  if (draft.intraOpThreads !== 1) {
    throw new ServingError('MODEL_INVALID', `backend parameter '${name}' needs intra_op_thread_count 1`);
  }
  draft.carrier = 'thread';
  draft.ownThreads = true;
}

/** Logical cores, and how many of them the container's quota is worth. */
export interface CoreFacts {
  readonly cores: number;
  readonly quota: number | undefined;
}

/** "All cores" are those that may be used: ONNX Runtime counts the machine's, whatever the container's quota. */
function withinQuota(threads: number, { cores, quota }: CoreFacts): number {
  return threads === 0 && quota !== undefined && quota < cores ? quota : threads;
}

function unknownParameter(name: string): ServingError {
  const refused = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
  if (refused !== undefined) {
    return new ServingError('MODEL_INVALID', `backend parameter '${name}' is not supported: ${refused}`);
  }
  return new ServingError(
    'MODEL_INVALID',
    `unknown backend parameter '${name}'${didYouMean(name, [...Object.keys(PARAMETERS), ...SESSION_CONFIG])}`,
  );
}

/** As Triton's backend maps `optimization.graph.level`; 0 and absent = all. */
function graphOptimization(level: number | undefined): number {
  if (level === undefined || level === 0) return 99;
  if (level === -1) return 1;
  if (level === 1) return 2;
  if (level === 2) return 0;
  throw new ServingError(
    'MODEL_INVALID',
    `optimization.graph.level: expected -1 (basic), 1 (extended) or 2 (none), got ${level}`,
  );
}

function integer(value: string, name: string, min: number, max: number): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new ServingError(
    'MODEL_INVALID',
    `backend parameter '${name}': expected an integer from ${min} to ${max}, got '${value}'`,
  );
}

function pick(value: string, name: string, names: readonly string[]): string {
  return names[integer(value, name, 0, names.length - 1)] as string;
}

function boolean(value: string, name: string): boolean {
  const lower = value.toLowerCase();
  if (lower === 'true' || lower === '1' || lower === 'on') return true;
  if (lower === 'false' || lower === '0' || lower === 'off') return false;
  throw new ServingError('MODEL_INVALID', `backend parameter '${name}': expected true or false, got '${value}'`);
}
