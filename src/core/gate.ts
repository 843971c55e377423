import type { ModelSpec, ModelVersionId } from './model.js';
import type { Tensor } from './tensor.js';

/** One execution that was not of a request. */
export interface ProbeAnswer {
  /** All outputs of the model in the order of its spec, less padding; the caller's own. */
  readonly outputs: readonly Tensor[];
  /** From its take by an instance to its end, and the part of it in which the model ran. */
  readonly latencyNs: number;
  readonly computeNs: number;
}

/** A loaded version that can be asked past queue and statistics. */
export interface ProbeTarget {
  readonly spec: ModelSpec;
  /** Waits for an instance that is free. Rejects as such a request would be refused, or fails. */
  probe(inputs: readonly Tensor[]): Promise<ProbeAnswer>;
}

/** The files of a model. Paths are relative to its folder, with `/`, and lead nowhere else. All reject with MODEL_INVALID. */
export interface ModelFiles {
  /** Entries of a folder by name, ascending; undefined where it is not there. */
  list(folder: string): Promise<readonly { readonly name: string; readonly folder: boolean }[] | undefined>;
  /** A whole file of at most `mostBytes`. */
  read(path: string, mostBytes: number): Promise<Uint8Array>;
  /** Its real path, for what reads it in pieces. */
  locate(path: string): Promise<string>;
}

/** What a golden set is judged by. `...Ratio` and `maxRightLoss` are beside the version that serves. Undefined: no such limit. */
export interface GoldenLimits {
  /** Least share of cases that are right, 0 to 1. */
  readonly minRight: number;
  /** The share may be so much below that of the version that serves. */
  readonly maxRightLoss?: number | undefined;
  /** Of the slowest case, each by the median of its runs. */
  readonly maxLatencyMs?: number | undefined;
  /** Mean over the cases. */
  readonly maxLatencyRatio?: number | undefined;
  /** Time of the model itself, mean over the cases. */
  readonly maxDeviceMs?: number | undefined;
  readonly maxDeviceRatio?: number | undefined;
}

/** How a version did on a golden set. */
export interface GoldenFigures {
  readonly version: number;
  readonly cases: number;
  readonly right: number;
  readonly slowestMs: number;
  readonly meanMs: number;
  readonly deviceMs: number;
  /** The first cases that were not right, and why. */
  readonly wrong: readonly { readonly name: string; readonly why: string }[];
}

/** What the gates found. Plain data. */
export interface GateReport {
  readonly model: string;
  readonly version: number;
  readonly passed: boolean;
  /** Everything that is against it, in words; empty where it passed. */
  readonly faults: readonly string[];
  /** Undefined: it has no golden set, or did not come so far. */
  readonly golden: { readonly candidate: GoldenFigures; readonly serving: GoldenFigures | undefined } | undefined;
  readonly card: 'complete' | 'incomplete' | 'none';
  readonly signature: 'valid' | 'invalid' | 'none' | 'not looked at';
}

/** What a version has to show before it serves. */
export interface VersionGate {
  /** Before anything of it is opened. Rejects with MODEL_INVALID. */
  beforeOpening(id: ModelVersionId, files: ModelFiles): Promise<void>;
  /** Loaded and warm, before it gets a request. `serving`: what it would stand beside. Rejects with MODEL_INVALID. */
  beforeServing(files: ModelFiles, candidate: ProbeTarget, serving: ProbeTarget | undefined): Promise<void>;
}
