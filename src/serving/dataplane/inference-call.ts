import {
  type BatchMember,
  type Behalf,
  type Charge,
  type Clock,
  CRITICALITIES,
  type Criticality,
  type CriticalityName,
  deviceNamed,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  type LatencyBreakdown,
  type Parameters,
  type Reason,
  type RequestOrigin,
  type RouteMark,
  type SequencePart,
  type ServingError,
  type SlowExecution,
  type SlowRequests,
  type Tenant,
  type Tensor,
  toServingError,
} from '../../core/index.js';
import type { MemberDone, MemberOutcome, QueueItem } from '../batcher/index.js';
import type { RouteDecision } from '../router/index.js';
import type { Admitted, PickedOutput } from './admission.js';
import type { Callers } from './callers.js';
import { pickOutputs } from './picked-outputs.js';
import type { ReleaseWatch } from './release-watch.js';
import { endSequence } from './sequence-end.js';
import type { ServedVersion } from './served-version.js';

/** Who gets the last response of a request, mostly the only one, or why there is none. */
export type LastReply = Omit<InferenceReply, 'part'>;

/**
 * One accepted request from admission to reply: the queue's item and the transport's handle in one object, so that a
 * request costs one allocation here. Settles exactly once. The constructor throws MALFORMED_REQUEST for what a request says
 * of itself that cannot be.
 */
export class InferenceCall implements QueueItem, InferenceHandle {
  readonly member: BatchMember;
  readonly key: string;
  readonly length: number;
  readonly priority: number;
  readonly timeoutUs: number;
  readonly deadlineNs: number;
  readonly enqueuedNs: number;
  readonly tenant: Tenant;
  readonly criticality: Criticality;
  readonly charge: Charge;
  acceptedAs: unknown = undefined;
  readonly #request: InferenceRequest;
  readonly #decision: RouteDecision<ServedVersion>;
  /** Undefined: no split assigned it, and it has no shadows. */
  readonly #watch: ReleaseWatch | undefined;
  readonly #clock: Clock;
  readonly #slow: SlowRequests | undefined;
  readonly #outputs: readonly PickedOutput[] | undefined;
  #reply: LastReply | undefined;

  constructor(
    request: InferenceRequest,
    admitted: Admitted,
    decision: RouteDecision<ServedVersion>,
    watch: ReleaseWatch | undefined,
    callers: Callers,
    clock: Clock,
    slow: SlowRequests | undefined,
    reply: LastReply,
  ) {
    this.member = admitted.member;
    this.key = admitted.batchKey.key;
    this.length = admitted.batchKey.length;
    this.priority = request.priority;
    this.timeoutUs = request.timeoutUs;
    this.deadlineNs = request.deadlineNs;
    this.enqueuedNs = clock.nowNs();
    this.tenant = callers.tenantOf(request);
    this.criticality = callers.criticalityOf(request);
    this.charge = request.behalf === undefined ? decision.charge : chargeOfStep(decision.charge, request.behalf);
    this.#request = request;
    this.#decision = decision;
    this.#watch = watch;
    this.#clock = clock;
    this.#slow = slow;
    this.#outputs = admitted.outputs;
    this.#reply = reply;
    request.trace?.admitted(this.enqueuedNs, this.tenant.name, CRITICALITIES[this.criticality] as CriticalityName);
  }

  get watched(): boolean {
    return this.#request.trace !== undefined;
  }

  /** Of the request: no property of its own, as few have one. */
  get sequence(): SequencePart | undefined {
    return this.#request.sequence;
  }

  get origin(): RequestOrigin {
    return this.#request;
  }

  get ending(): (() => void) | undefined {
    const { queue, spec } = this.#decision.primary;
    const { sequence } = this;
    return sequence === undefined || spec.sequences !== true ? undefined : () => endSequence(queue, sequence.id);
  }

  cancel(): void {
    if (this.#reply !== undefined) this.#decision.primary.queue.cancel(this);
  }

  /** Called by the queue, once. */
  settle(outcome: MemberOutcome): void {
    const reply = this.#reply;
    if (reply === undefined) return;
    this.#reply = undefined;
    if (outcome.kind === 'failed') {
      this.#request.trace?.broke(outcome.execution, outcome.begunNs);
      this.#fail(reply, outcome.error, outcome.execution);
    } else this.#done(reply, outcome);
  }

  #done(reply: LastReply, outcome: MemberOutcome & { kind: 'done' }): void {
    const request = this.#request;
    const { primary, mark } = this.#decision;
    const { spec, metrics } = primary;
    request.trace?.ran(outcome);
    let outputs: readonly Tensor[];
    try {
      outputs = pickOutputs(outcome.outputs, this.#outputs, spec);
    } catch (thrown) {
      this.#fail(reply, toServingError(thrown), outcome.execution);
      return;
    }
    const scatteredNs = this.#clock.nowNs();
    const latency: LatencyBreakdown = {
      decodeNs: request.decodedNs - request.receivedNs,
      queueNs: outcome.queueNs,
      gatherNs: outcome.gatherNs,
      dispatchNs: outcome.dispatchNs,
      computeNs: outcome.computeNs,
      scatterNs: scatteredNs - outcome.batchFinishedNs,
      encodeNs: 0,
    };
    const response: InferenceResponse = {
      version: spec.id,
      id: request.id,
      outputs,
      parameters: isAsked(request.parameters) ? explanation(outcome, mark) : NO_PARAMETERS,
      latency,
      batchRows: outcome.batchRows,
      paddingShare: outcome.paddingShare,
      deviceNs: outcome.deviceNs,
      cost: outcome.cost,
      mark,
    };
    // An answer that was computed for another request says nothing of how its version does.
    const watch = outcome.reused === undefined ? this.#watch : undefined;
    watch?.answering(request, this.#decision);
    reply.done(response);
    const endNs = this.#clock.nowNs();
    latency.encodeNs = endNs - scatteredNs;
    const totalNs = endNs - request.receivedNs;
    const level = primary.priorityPlace(this.priority);
    if (outcome.reused === undefined) metrics.succeeded(this.member.rows, latency, totalNs, mark.place, level);
    else metrics.reused(latency, totalNs, mark.place, level);
    const { trace } = request;
    if (trace?.sampled === true) metrics.traced(trace.traceId, totalNs, this.#clock.wallMs());
    if (totalNs >= metrics.slowNs) this.#slower(totalNs, undefined, executionOf(outcome, latency));
    watch?.answered(request, this.#decision, spec, outcome, totalNs);
  }

  #fail(reply: LastReply, error: ServingError, execution: number): void {
    const { primary, mark } = this.#decision;
    const totalNs = this.#clock.nowNs() - this.#request.receivedNs;
    primary.metrics.failed(error.reason, totalNs, mark.place);
    reply.failed(error, mark);
    if (totalNs >= primary.metrics.slowNs) this.#slower(totalNs, error.reason, undefined);
    this.#watch?.failed(this.#request, this.#decision, primary.spec, error.reason, execution, totalNs);
  }

  #slower(totalNs: number, reason: Reason | undefined, execution: SlowExecution | undefined): void {
    const { primary, mark } = this.#decision;
    const request = this.#request;
    const { tenant } = this;
    const { rows } = this.member;
    const told = this.#slow?.note({ request, id: primary.spec.id, mark, tenant, rows, totalNs, reason, execution });
    primary.metrics.slow(told === true);
  }
}

/** A step is booked as the request that it is a step of, but where its own model is tried by a rollout. */
function chargeOfStep(own: Charge, { charge }: Behalf): Charge {
  return own.kind === 'canary' && (charge.kind === 'direct' || charge.kind === 'canary') ? own : charge;
}

const NO_PARAMETERS = Object.freeze({});

function executionOf(outcome: MemberDone, latency: LatencyBreakdown): SlowExecution {
  const { batchRows, batchRequests, paddingShare, device } = outcome;
  return { latency, batchRows, batchMates: batchRequests - 1, paddingShare, device: deviceNamed(device) };
}

/** The request's parameter `penstock_explain`. */
function isAsked({ penstock_explain: asked }: Parameters): boolean {
  return asked === true || asked === 'true';
}

/** What became of the request on its way, as response parameters. */
function explanation(outcome: MemberDone, mark: RouteMark): Parameters {
  return {
    ...mark.parameters,
    penstock_batch_size: outcome.batchRows,
    penstock_queue_us: Math.round(outcome.queueNs / 1e3),
    penstock_compute_us: Math.round((outcome.dispatchNs + outcome.computeNs) / 1e3),
    penstock_padding_share: Math.round(outcome.paddingShare * 1e4) / 1e4,
    penstock_device_ms: outcome.deviceNs / 1e6,
    ...(outcome.cost === undefined ? {} : { penstock_cost: outcome.cost }),
    ...(outcome.reused === undefined ? {} : { penstock_reused: outcome.reused }),
  };
}
