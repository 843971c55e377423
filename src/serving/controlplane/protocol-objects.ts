import type { LatencySketchObject, Slo, SloSeverity, SloState } from '../../core/index.js';

/**
 * The answers of the control plane in the shape of the REST protocol (Open Inference Protocol `inference_rest.md` and
 * Triton's extensions). Field names are the wire's; gRPC messages have the same ones.
 */

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  /** Batch axis included, as -1; -1 = any size. */
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  /** Versions that serve, ascending. */
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

export interface Duration {
  readonly count: number;
  readonly ns: number;
}

export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  readonly last_inference: number;
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: {
    readonly success: Duration;
    readonly fail: Duration;
    readonly queue: Duration;
    readonly compute_input: Duration;
    readonly compute_infer: Duration;
    readonly compute_output: Duration;
    readonly cache_hit: Duration;
    readonly cache_miss: Duration;
  };
  /** Of decoupled models only, by the place of the response from 0; the place 31 has all beyond it too. */
  readonly response_stats: Readonly<
    Record<
      string,
      {
        readonly compute_infer: Duration;
        readonly compute_output: Duration;
        readonly success: Duration;
        readonly fail: Duration;
        readonly empty_response: Duration;
        readonly cancel: Duration;
      }
    >
  >;
  readonly batch_stats: readonly {
    readonly batch_size: number;
    readonly compute_input: Duration;
    readonly compute_infer: Duration;
    readonly compute_output: Duration;
  }[];
  /** As far as its backend measures it (`OpenedModel.memory`). */
  readonly memory_usage: readonly {
    readonly type: 'CPU' | 'CPU_PINNED' | 'GPU';
    readonly id: number;
    readonly byte_size: number;
  }[];
}

export interface IndexRow {
  readonly name: string;
  /** Absent where no version could be told. */
  readonly version?: string;
  readonly state: string;
  /** Absent where it is ready. */
  readonly reason?: string;
}

export interface ModelStatus {
  readonly name: string;
  readonly version?: string;
  readonly state: string;
  readonly reason: string;
  readonly engine: string;
  /** Share of the graph's nodes by execution provider, summing to 1. */
  readonly providers: Readonly<Record<string, number>>;
  readonly fallback?: string;
  readonly instances: number;
  readonly lanes: Readonly<Record<string, number>>;
  /** How runs are carried, by device. */
  readonly carriers: readonly {
    readonly device: string;
    readonly carrier: string;
    readonly why: string;
    readonly run_us: number;
  }[];
}

/** Beyond the protocols: how long requests took, by version. */
export interface ModelLatency {
  readonly name: string;
  readonly versions: readonly VersionLatencyObject[];
}

/** The latency of one version; times in milliseconds, absent where nothing was answered yet. */
export interface VersionLatencyObject {
  readonly version: string;
  /** Requests answered since the version was first loaded by this process. */
  readonly count: number;
  readonly mean_ms?: number;
  readonly max_ms?: number;
  readonly p50_ms?: number;
  readonly p90_ms?: number;
  readonly p99_ms?: number;
  readonly p99_9_ms?: number;
  /** In seconds: as an object, or as bytes of `DDSketch.proto` in base64. */
  readonly sketch?: LatencySketchObject | string;
}

/** Beyond the protocols: how the SLOs stand. */
export interface SloReport {
  /** Wall clock of when counting began: what was before is not in any figure here. */
  readonly since_ms: number;
  readonly slos: readonly SloObject[];
}

export interface SloObject {
  readonly name: string;
  readonly description?: string;
  /** Absent: of all models. */
  readonly model?: string;
  readonly version?: string;
  readonly route?: string;
  readonly objective: Slo['objective']['kind'];
  /** What is promised, in words. */
  readonly promise: string;
  readonly target: number;
  readonly window_days: number;
  readonly state: SloState;
  /** Why nothing is counted; absent: it is. */
  readonly missing?: string;
  /** Of the window, as far as it is covered. */
  readonly events: number;
  readonly bad: number;
  readonly error_budget_remaining: number;
  readonly covered_seconds: number;
  readonly burn_rates: Readonly<Record<string, number>>;
  /** When somebody is told: over both windows so many times as fast as the budget lasts. */
  readonly alerts: readonly {
    readonly severity: SloSeverity;
    readonly long: string;
    readonly short: string;
    readonly rate: number;
    readonly min_events: number;
  }[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly runbook?: string;
}

/** Beyond the protocols: what the scheduler of a version does, and why. */
export interface ModelScheduler {
  readonly name: string;
  readonly version: string;
  /** `deadlines` or `knobs`. */
  readonly policy: string;
  readonly slo_ms: number;
  readonly waiting: number;
  readonly running: number;
  readonly slots: number;
  readonly free_slots: number;
  /** Why an instance is free beside a waiting request. */
  readonly idle_because?: string;
  readonly arrivals_per_second: number;
  /** Of all that was executed so far, 0 to 1. */
  readonly padding_share: number;
  readonly curve?: {
    readonly rows: readonly number[];
    readonly mean_ms: readonly number[];
    readonly upper_ms: readonly number[];
    readonly paying_rows: number;
  };
  /** At most 32. */
  readonly tenants: readonly {
    readonly name: string;
    readonly weight: number;
    readonly share: number;
    readonly waiting: number;
    readonly started: number;
    readonly refused: number;
    readonly device_ms: number;
  }[];
  readonly criticality: readonly { readonly level: string; readonly started: number; readonly refused: number }[];
  /** The newest first. */
  readonly recent: readonly {
    readonly ago_ms: number;
    readonly kind: string;
    readonly why: string;
    readonly rows: number;
    readonly waiting: number;
    readonly free_slots: number;
    readonly wait_ms?: number;
  }[];
  /** Of a model with sequences. */
  readonly sequences?: {
    readonly strategy: string;
    readonly slots: number;
    readonly slots_in_use: number;
    /** Sequences that wait for a slot. */
    readonly backlog: number;
    /** Sequences that have a slot and no request now. */
    readonly idle: number;
    readonly state_bytes: number;
    readonly begun: number;
    readonly ended: number;
    readonly restarted: number;
    readonly expired: number;
    /** Ended by a failed first request, a cancellation, a lost instance or a drain. */
    readonly broken: number;
  };
}
