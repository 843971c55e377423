import {
  type BatchMember,
  type Clock,
  type Criticality,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  type LatencyBreakdown,
  type Parameters,
  type RouteMark,
  type ServingError,
  type Tenant,
  type Tensor,
  type TensorSpec,
  toServingError,
} from '../../core/index.js';
import type { MemberDone, MemberOutcome, QueueItem } from '../batcher/index.js';
import type { Admitted, PickedOutput } from './admission.js';
import type { Callers } from './callers.js';
import { classify } from './classification.js';
import type { ServedVersion } from './served-version.js';

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
  readonly #request: InferenceRequest;
  readonly #served: ServedVersion;
  readonly #mark: RouteMark;
  readonly #clock: Clock;
  readonly #outputs: readonly PickedOutput[] | undefined;
  #reply: InferenceReply | undefined;

  constructor(
    request: InferenceRequest,
    admitted: Admitted,
    served: ServedVersion,
    mark: RouteMark,
    callers: Callers,
    clock: Clock,
    reply: InferenceReply,
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
    this.#request = request;
    this.#served = served;
    this.#mark = mark;
    this.#clock = clock;
    this.#outputs = admitted.outputs;
    this.#reply = reply;
  }

  cancel(): void {
    if (this.#reply !== undefined) this.#served.queue.cancel(this);
  }

  /** Called by the queue, once. */
  settle(outcome: MemberOutcome): void {
    const reply = this.#reply;
    if (reply === undefined) return;
    this.#reply = undefined;
    if (outcome.kind === 'failed') this.#fail(reply, outcome.error);
    else this.#done(reply, outcome);
  }

  #done(reply: InferenceReply, outcome: MemberOutcome & { kind: 'done' }): void {
    const { spec, metrics } = this.#served;
    let outputs: readonly Tensor[];
    try {
      outputs = this.#outputs === undefined ? outcome.outputs : this.#pick(outcome.outputs, this.#outputs);
    } catch (thrown) {
      this.#fail(reply, toServingError(thrown));
      return;
    }
    const scatteredNs = this.#clock.nowNs();
    const latency: LatencyBreakdown = {
      decodeNs: this.#request.decodedNs - this.#request.receivedNs,
      queueNs: outcome.queueNs,
      gatherNs: outcome.gatherNs,
      dispatchNs: outcome.dispatchNs,
      computeNs: outcome.computeNs,
      scatterNs: scatteredNs - outcome.batchFinishedNs,
      encodeNs: 0,
    };
    const response: InferenceResponse = {
      version: spec.id,
      id: this.#request.id,
      outputs,
      parameters: isAsked(this.#request.parameters) ? explanation(outcome, this.#mark) : NO_PARAMETERS,
      latency,
      batchRows: outcome.batchRows,
      paddingShare: outcome.paddingShare,
      mark: this.#mark,
    };
    reply.done(response);
    const endNs = this.#clock.nowNs();
    latency.encodeNs = endNs - scatteredNs;
    metrics.succeeded(this.member.rows, latency, endNs - this.#request.receivedNs);
  }

  #fail(reply: InferenceReply, error: ServingError): void {
    this.#served.metrics.failed(error.reason, this.#clock.nowNs() - this.#request.receivedNs);
    reply.failed(error, this.#mark);
  }

  #pick(all: readonly Tensor[], picked: readonly PickedOutput[]): Tensor[] {
    const { spec } = this.#served;
    return picked.map(({ index, classification }) => {
      const output = all[index] as Tensor;
      if (classification === 0) return output;
      return classify(output, spec.outputs[index] as TensorSpec, classification, spec.maxBatchSize > 0);
    });
  }
}

const NO_PARAMETERS = Object.freeze({});

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
  };
}
