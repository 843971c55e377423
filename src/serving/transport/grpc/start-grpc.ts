import { type ApiGroup, ERRORS, GRPC_CODE_NUMBERS } from '../../../core/index.js';
import {
  type Call,
  healthCalls,
  inferenceCalls,
  modelServiceCalls,
  predictionCalls,
  reflectionCalls,
  sessionCalls,
  teiCalls,
} from '../../codec/index.js';
import { groupOf } from './call-groups.js';
import { controlCall } from './control-calls.js';
import type { CallHandler, Method } from './framing/method.js';
import type { ServerCall } from './framing/server-call.js';
import { UnreadAnswers } from './framing/unread-answers.js';
import { GrpcListener, type ListenerOptions } from './grpc-listener.js';
import {
  DEFAULT_MAX_INPUT_BYTES,
  type GrpcOptions,
  type GrpcServer,
  type GrpcState,
  grpcState,
} from './grpc-options.js';
import { opens, refusing } from './guarded-call.js';
import { HealthService } from './health-service.js';
import { drainStreams, type OpenStreams } from './open-streams.js';
import { reflection } from './reflection-service.js';
import { streamInfer } from './stream-infer.js';
import { textCall } from './tei/text-calls.js';
import { modelCall } from './tf-serving/model-calls.js';
import { multiInferenceMethod } from './tf-serving/multi-inference.js';
import { classifyMethod, predictMethod, regressMethod } from './tf-serving/prediction-forms.js';
import { unaryInfer } from './unary-infer.js';

/**
 * Starts the gRPC server: `inference.GRPCInferenceService`, TensorFlow Serving's services, text-embeddings-inference's, `grpc.health.v1.Health` and reflection. Rejects with
 * CONFLICT where the address cannot be bound.
 */
export async function startGrpc(options: GrpcOptions): Promise<GrpcServer> {
  const state = grpcState(options);
  const streams: OpenStreams = new Set();
  const health = new HealthService(state);
  const inference = inferenceCalls().map((call) => ({
    ...method(call, groupOf(call), state, inferenceHandler(call, state, streams)),
    ...(INFERENCES.has(call.name) ? { refused: refusalOf(call, state), watch: undefined } : {}),
    pooled: INFERENCES.has(call.name),
  }));
  const predictions = [...predictionCalls(), ...modelServiceCalls(), ...sessionCalls()].map((call) => ({
    ...method(call, groupOf(call), state, tensorFlowHandler(call, state)),
    ...(INFERENCES.has(call.name) ? { refused: refusalOf(call, state), watch: undefined } : {}),
    pooled: INFERENCES.has(call.name),
  }));
  const texts = teiCalls().map((call) => {
    const infers = TEXT_INFERENCES.test(call.path);
    return {
      ...method(call, groupOf(call), state, textCall(call, state, streams)),
      ...(infers ? { refused: refusalOf(call, state), watch: undefined } : {}),
    };
  });
  const checks = healthCalls().map((call) =>
    method(call, 'health', state, call.responseStream ? health.watch(call) : health.check(call)),
  );
  const reflections = reflectionCalls().map((call) =>
    method(call, 'metadata', state, reflection(call, state, streams)),
  );
  const listener = await GrpcListener.bind(
    listenerOptions(options),
    [...inference, ...predictions, ...texts, ...checks, ...reflections],
    {
      clock: options.clock,
      log: options.log,
      offload: options.offload,
      memory: options.memory,
      errors: state.errors,
      maxMessageBytes: options.maxInputBytes ?? DEFAULT_MAX_INPUT_BYTES,
      unread: new UnreadAnswers(options.clock, state.budget, options.answerTimeoutMs ?? 60_000),
    },
  );
  return new RunningServer({ listener, state, health, streams, closeTimeoutMs: options.closeTimeoutMs ?? 10_000 });
}

/** The calls whose refusals are counted. */
const INFERENCES: ReadonlySet<string> = new Set([
  'ModelInfer',
  'ModelStreamInfer',
  'Predict',
  'Classify',
  'Regress',
  'MultiInference',
]);

/** Those of text-embeddings-inference. */
const TEXT_INFERENCES = /^\/tei\.v1\.(Embed|Predict|Rerank)\//;

interface RunningParts {
  readonly listener: GrpcListener;
  readonly state: GrpcState;
  readonly health: HealthService;
  readonly streams: OpenStreams;
  readonly closeTimeoutMs: number;
}

/** Drains in the order: health says no, idle streams end, requests in flight settle, watchers go, connections close. */
class RunningServer implements GrpcServer {
  readonly #parts: RunningParts;
  #connectionsClosed: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: RunningParts) {
    this.#parts = parts;
  }

  get port(): number {
    return this.#parts.listener.port;
  }

  refreshHealth(): void {
    this.#parts.health.refresh();
  }

  closeIntake(): void {
    if (this.#connectionsClosed !== undefined) return;
    const { listener, state, health, streams } = this.#parts;
    state.inFlight.drain();
    health.refresh();
    drainStreams(streams);
    this.#connectionsClosed = listener.close();
  }

  abort(): void {
    this.closeIntake();
    this.#parts.listener.destroy();
  }

  close(): Promise<void> {
    this.closeIntake();
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { listener, state, health, closeTimeoutMs } = this.#parts;
    await state.inFlight.settled();
    health.end();
    const cut = state.clock.setTimer(state.clock.nowNs() + closeTimeoutMs * 1e6, () => {
      state.log.warn('gRPC clients did not read their answers in time: connections cut', { closeTimeoutMs });
      listener.destroy();
    });
    await this.#connectionsClosed;
    cut.clear();
  }
}

function listenerOptions(options: GrpcOptions): ListenerOptions {
  return {
    address: options.address ?? '127.0.0.1',
    port: options.port,
    unixSocket: options.unixSocket,
    shared: options.shared ?? false,
    tls: options.tls,
    maxConcurrentStreams: options.maxConcurrentStreams ?? 1024,
    connections: {
      keepaliveTimeMs: options.keepaliveTimeMs ?? 60_000,
      keepaliveTimeoutMs: options.keepaliveTimeoutMs ?? 20_000,
      maxAgeMs: options.maxConnectionAgeMs,
      maxAgeGraceMs: options.maxConnectionAgeGraceMs,
    },
  };
}

function inferenceHandler(call: Call, state: GrpcState, streams: OpenStreams): (call: ServerCall) => CallHandler {
  if (call.name === 'ModelInfer') return unaryInfer(state);
  if (call.name === 'ModelStreamInfer') return streamInfer(state, streams);
  return controlCall(call, state);
}

function tensorFlowHandler(call: Call, state: GrpcState): (call: ServerCall) => CallHandler {
  if (call.name === 'Predict') return unaryInfer(state, predictMethod(state));
  if (call.name === 'Classify') return unaryInfer(state, classifyMethod(call, state));
  if (call.name === 'Regress') return unaryInfer(state, regressMethod(call, state));
  if (call.name === 'MultiInference') return unaryInfer(state, multiInferenceMethod(call, state));
  return modelCall(call, state);
}

/** An inference that ends before its handler saw it: counted, and told as a call. */
function refusalOf({ path }: Call, { onRefused, watch }: GrpcState): Method['refused'] {
  return (reason, headers) => {
    onRefused(reason);
    watch
      ?.call?.('grpc', 'POST', path, headers['user-agent'] ?? '', '')
      .ended(GRPC_CODE_NUMBERS[ERRORS[reason].grpc], 0);
  };
}

/** A method of the server; calls of a restricted group are refused without the key. */
function method(
  { path, requestStream }: Call,
  group: ApiGroup,
  { watch, apiKeys, onRefused }: GrpcState,
  start: (call: ServerCall) => CallHandler,
): Method {
  const key = apiKeys.get(group);
  const refused = group === 'inference' ? onRefused : () => {};
  const opened =
    key === undefined ? start : (call: ServerCall) => (opens(key, call) ? start(call) : refusing(key, call, refused));
  return { path, requestStream, pooled: false, start: opened, watch };
}
