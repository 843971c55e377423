import { compareOutputs, keptOutputs, type Look, type Tolerances } from '../../comparison/index.js';
import {
  type Clock,
  type InferenceRequest,
  type Reason,
  type ReleaseFacts,
  type Tensor,
  toServingError,
} from '../../core/index.js';
import type { MemberDone, MemberOutcome } from '../batcher/index.js';
import type { ServedVersion } from './served-version.js';
import { ShadowCall } from './shadow-call.js';

/** A version that gets a copy of a request. */
export interface ShadowTarget {
  /** See `ComparedFact`. */
  readonly split: number;
  readonly target: ServedVersion;
}

export interface ShadowLimits {
  /** Copies at once that have no outcome yet; those beyond are dropped. */
  readonly maxInFlight: number;
  /** Bytes of requests and answers that are kept for them. */
  readonly maxBytes: number;
  /** Within which answers agree. */
  readonly tolerances: Tolerances;
}

export interface ShadowsOptions {
  readonly clock: Clock;
  readonly facts: ReleaseFacts;
  readonly limits: ShadowLimits;
  /** Whether the table in force still routes to it: nothing may be sent to a version that was taken out. */
  readonly serves: (served: ServedVersion) => boolean;
}

/** A comparison takes a fifth of a millisecond at most, on the thread that answers requests; most of it is sorting. */
const LOOK: Look = { elements: 8192, ranked: 1024 };

/** Outcomes that say nothing of the candidate: there was no room or time for the copy, or the version went or takes none. */
const NOT_ITS_FAULT: ReadonlySet<Reason> = new Set([
  'QUEUE_FULL',
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
  'DRAINING',
  'CLIENT_CANCELLED',
  'UNSUPPORTED',
]);

/**
 * Copies of answered requests that candidates answer too, for comparison. Each copy gives one fact: compared or dropped. What a
 * copy needs is kept until then: the request's own memory, by its lease, and of the answer what is compared.
 */
export class Shadows {
  readonly #options: ShadowsOptions;
  #inFlight = 0;
  #bytes = 0;

  constructor(options: ShadowsOptions) {
    this.#options = options;
  }

  /** Copies without an outcome, and the bytes kept for them. */
  get kept(): { readonly copies: number; readonly bytes: number } {
    return { copies: this.#inFlight, bytes: this.#bytes };
  }

  /**
   * Sends copies of a request that was answered by `done`, whose outputs are read before this returns. The caller's reference
   * to the request's lease is given back in any case.
   */
  send(request: InferenceRequest, done: MemberDone, batched: boolean, targets: readonly ShadowTarget[]): void {
    const { maxInFlight, maxBytes } = this.#options.limits;
    let reference: readonly Tensor[] | undefined;
    for (const target of targets) {
      let bytes = bytesOf(request);
      if (this.#inFlight >= maxInFlight || this.#bytes + bytes > maxBytes) {
        this.#drop(target);
        continue;
      }
      reference ??= keptOutputs(done.outputs, LOOK);
      for (const { data } of reference) bytes += data.byteLength;
      request.lease?.retain();
      this.#inFlight++;
      this.#bytes += bytes;
      this.#begin(new Copy(request, target, reference, batched, executionNs(done), bytes));
    }
    request.lease?.release();
  }

  #begin(copy: Copy): void {
    const { serves, clock } = this.#options;
    const { target } = copy.target;
    if (target.shadowQueue === undefined || !serves(target)) {
      this.#forget(copy);
      this.#drop(copy.target);
      return;
    }
    try {
      const admitted = target.admission.admit(copy.request);
      copy.enqueuedNs = clock.nowNs();
      const settled = (outcome: MemberOutcome) => this.#settled(copy, outcome);
      target.shadowQueue.enqueue(new ShadowCall(admitted, copy.request, copy.enqueuedNs, settled));
    } catch (thrown) {
      this.#settled(copy, { kind: 'failed', error: toServingError(thrown), execution: 0 });
    }
  }

  #settled(copy: Copy, outcome: MemberOutcome): void {
    const { request, target, baselineNs, reference, batched } = copy;
    this.#forget(copy);
    request.trace?.copied({
      version: target.target.spec.id,
      enqueuedNs: copy.enqueuedNs,
      run: outcome.kind === 'done' ? outcome : undefined,
      reason: outcome.kind === 'failed' ? outcome.error.reason : undefined,
    });
    if (outcome.kind === 'failed' && NOT_ITS_FAULT.has(outcome.error.reason)) {
      this.#drop(target);
      return;
    }
    const { facts, limits } = this.#options;
    const done = outcome.kind === 'done' ? outcome : undefined;
    facts.note({
      kind: 'compared',
      ...target.target.spec.id,
      split: target.split,
      requestId: request.id,
      baselineNs,
      candidateNs: done === undefined ? 0 : executionNs(done),
      candidateDeviceNs: done?.deviceNs ?? 0,
      comparison: done && compareOutputs(reference, done.outputs, batched, limits.tolerances, LOOK),
      reason: outcome.kind === 'failed' ? outcome.error.reason : undefined,
    });
  }

  #drop({ target, split }: ShadowTarget): void {
    this.#options.facts.note({ kind: 'shadow-dropped', ...target.spec.id, split });
  }

  #forget({ request, bytes }: Copy): void {
    this.#inFlight--;
    this.#bytes -= bytes;
    request.lease?.release();
  }
}

/** What is kept of a request and its answer until the candidate's is there. */
class Copy {
  readonly request: InferenceRequest;
  readonly target: ShadowTarget;
  readonly reference: readonly Tensor[];
  readonly batched: boolean;
  readonly baselineNs: number;
  readonly bytes: number;
  /** 0: it came to no queue. */
  enqueuedNs = 0;

  constructor(
    request: InferenceRequest,
    target: ShadowTarget,
    reference: readonly Tensor[],
    batched: boolean,
    baselineNs: number,
    bytes: number,
  ) {
    this.request = request;
    this.target = target;
    this.reference = reference;
    this.batched = batched;
    this.baselineNs = baselineNs;
    this.bytes = bytes;
  }
}

/** Where several tensors lie in one lease, it is kept whole; that of a step is not its own, and bounded where it was taken. */
function bytesOf({ inputs, rawInput, lease, behalf }: InferenceRequest): number {
  const whole = behalf === undefined ? lease : undefined;
  let bytes = whole?.bytes.byteLength ?? rawInput?.byteLength ?? 0;
  if (whole === undefined) for (const { data } of inputs) bytes += data.byteLength;
  return bytes;
}

/** Without the queue: copies wait for idle moments. */
function executionNs({ gatherNs, dispatchNs, computeNs }: MemberDone): number {
  return gatherNs + dispatchNs + computeNs;
}
