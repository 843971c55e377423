import type { InstanceGroup, OpenedModel } from './backend.js';
import type { BatchMember } from './batch.js';
import type { EnsembleStep } from './ensemble.js';
import type { ProbeTarget } from './gate.js';
import type { ModelSpec } from './model.js';
import type { ModelRoutes } from './routes.js';
import type { SequencePlan } from './sequence.js';
import type { Slo } from './slo.js';

/** What the data path is told of an opened version. */
export interface VersionPlan {
  readonly spec: ModelSpec;
  readonly instances: readonly InstanceGroup[];
  readonly maxExecutionMs: number;
  /** Part of a device's time beside other models' where executions are limited; absent = 1. */
  readonly deviceWeight?: number;
  /** Milliseconds that `HostedVersion.learn` may take; absent or 0 = nothing is measured before requests come. */
  readonly costSweepMs?: number;
  /** Of its model file and what that refers to: about what it takes on each device; absent = not known. */
  readonly modelBytes?: number;
  /** Present: it has no lanes of its own, but is these steps over models that serve. */
  readonly steps?: readonly EnsembleStep[];
  /** How its sequences are served; absent = its requests are each their own. */
  readonly sequences?: SequencePlan;
  /** Whether answers are kept for identical requests, and whether those wait for each other; absent: neither. */
  readonly reuse?: { readonly cache: boolean; readonly coalesce: boolean };
}

/**
 * A version with its lanes, executor and queue: `models` decides about its life, the data path sends requests through it.
 * Order of calls: warm*, learn, probe*, (published, probe*), drain, stop; then the owner closes the `OpenedModel`.
 */
export interface HostedVersion extends ProbeTarget {
  readonly spec: ModelSpec;
  /** Runs one warm-up execution on every instance, past the queue and the statistics. Rejects with the reason it failed. */
  warm(sample: BatchMember): Promise<void>;
  /** Takes in what is known of the time of executions, or measures it with the samples of `warm`. Never rejects. */
  learn(): Promise<void>;
  /** Takes no more requests and resolves when every accepted one is settled. `timeoutMs` past: cancels the rest, then resolves. */
  drain(timeoutMs: number): Promise<void>;
  /** Stops lanes and executor; resolves when their buffers are freed. */
  stop(): Promise<void>;
  /** Lanes by state, e.g. `{ idle: 2 }`. */
  laneStates(): Readonly<Record<string, number>>;
  /** Called when all lanes are quarantined (true) and when one serves again (false). Set once by the owner. */
  onImpaired: (impaired: boolean, why: string) => void;
}

/** Builds hosted versions and puts them into the routing table. */
export interface VersionHost {
  start(opened: OpenedModel, plan: VersionPlan): Promise<HostedVersion>;
  /**
   * Publishes what serves of a model, atomically: requests that come after it find exactly these versions; a version not
   * named any more gets no new request. An empty list removes the model. In force on this thread when it returns, on every
   * thread that takes requests when its promise resolves; never rejects. `drain` of a version waits for that by itself.
   * `beside`: what the files beside the model say, as the load found them.
   */
  publish(model: string, versions: readonly HostedVersion[], beside?: BesideModel): Promise<void>;
}

/** What stands beside a model's versions and decides about their traffic; both were read and found possible. */
export interface BesideModel {
  readonly routes: ModelRoutes | undefined;
  readonly slos: readonly Slo[];
  /** The rollout plan, with its name for messages. */
  readonly rollout: { readonly name: string; readonly text: string } | undefined;
}
