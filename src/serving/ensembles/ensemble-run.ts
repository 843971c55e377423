import {
  type Clock,
  DEFAULT_CRITICALITY,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  type Lease,
  NOBODY,
  type Placed,
  ServingError,
  type Tensor,
  toServingError,
  UNROUTED,
  type WatchedStep,
} from '../../core/index.js';
import type { MemberDone, MemberOutcome, QueueItem } from '../batcher/index.js';
import { type GraphStep, stepName } from './ensemble-graph.js';
import type { EnsemblePlan } from './ensemble-plan.js';
import { handedShape } from './handed-shape.js';
import { JoinedLease, type KeptBytes } from './kept-tensors.js';
import type { StepForm } from './member-fit.js';
import { StepStates } from './step-states.js';
import { StepWatch } from './step-watch.js';

/** Sends a step as a request on the one path of requests. See `Dataplane.infer`. */
export type SendStep = (request: InferenceRequest, reply: InferenceReply) => InferenceHandle;

export interface RunParts {
  readonly plan: EnsemblePlan;
  readonly item: QueueItem;
  /** Of the ensemble's version, from 1. */
  readonly number: number;
  readonly send: SendStep;
  readonly kept: KeptBytes;
  readonly clock: Clock;
  /** The one outcome. */
  readonly settle: (outcome: MemberOutcome) => void;
}

/** A tensor that a step gave, or a request brought, until the last step that takes it is answered. */
interface HeldTensor {
  readonly tensor: Tensor;
  /** Of the request that it comes from; 0: that had no batch axis. */
  readonly batchRows: number;
  /** This run's own reference; undefined: the bytes are the request's. */
  readonly lease: Lease | undefined;
  /** Steps that take it and are not answered; one more where it is an output of the ensemble. */
  uses: number;
}

/** One request for an ensemble, from its first step to its one outcome. */
export class EnsembleRun implements InferenceHandle, Placed {
  /** Among those of its ensemble that are not answered. */
  place = -1;
  readonly #parts: RunParts;
  readonly #states: StepStates;
  /** By tensor; undefined: not given yet, given back, or an optional input that the request leaves out. */
  readonly #held: (HeldTensor | undefined)[];
  readonly #handles: (InferenceHandle | undefined)[];
  readonly #ended: WatchedStep[] = [];
  #deviceNs = 0;
  #cost: number | undefined;
  #settled = false;

  constructor(parts: RunParts) {
    this.#parts = parts;
    const { graph, spec } = parts.plan;
    this.#states = new StepStates(graph);
    this.#held = new Array(graph.tensors.length).fill(undefined);
    this.#handles = new Array(graph.steps.length).fill(undefined);
    const { member } = parts.item;
    graph.inputs.forEach((place, i) => {
      const tensor = member.inputs[i];
      if (tensor === undefined) return;
      const batchRows = spec.maxBatchSize > 0 ? member.rows : 0;
      this.#held[place] = { tensor, batchRows, lease: undefined, uses: this.#usesOf(place) };
    });
  }

  begin(): void {
    for (const step of this.#states.first()) this.#send(step);
  }

  /** Nobody waits any more. */
  cancel(): void {
    this.fail(new ServingError('CLIENT_CANCELLED', 'the client cancelled the request'));
  }

  /** Settles the request with an error, unless it is settled; steps that run are cancelled. */
  fail(error: ServingError): void {
    this.#settle({ kind: 'failed', error, execution: 0 });
  }

  #usesOf(place: number): number {
    const { tensors, outputs } = this.#parts.plan.graph;
    return (tensors[place]?.takers.length ?? 0) + (outputs.includes(place) ? 1 : 0);
  }

  #send(index: number): void {
    if (this.#settled) return;
    const { plan, item, send } = this.#parts;
    const step = plan.graph.steps[index] as GraphStep;
    const watch = new StepWatch(item.origin?.trace);
    this.#states.sent(index);
    const handle = send(this.#requestOf(step, plan.forms[index] as StepForm, watch), {
      done: (response) => this.#done(step, response, watch),
      failed: (error) => this.#failed(step, error),
    });
    // It may have been answered, and the request settled, before its handle was there.
    if (this.#states.state(index) === 'sent') this.#handles[index] = handle;
    else if (this.#states.state(index) === 'dropped') handle.cancel();
  }

  #requestOf(step: GraphStep, form: StepForm, trace: StepWatch): InferenceRequest {
    const { item, clock } = this.#parts;
    const leases = new Set<Lease>();
    const inputs: Tensor[] = [];
    for (const { name, tensor: place } of step.takes) {
      const held = this.#held[place];
      if (held === undefined) continue;
      const { tensor, batchRows, lease = item.member.lease } = held;
      if (lease !== undefined) leases.add(lease);
      const shape = handedShape(tensor.shape, batchRows, form.inputDims.get(name) ?? [], form.batched);
      inputs.push({ name, dataType: tensor.dataType, shape, data: tensor.data });
    }
    const nowNs = clock.nowNs();
    const { tenant = NOBODY, criticality = DEFAULT_CRITICALITY, charge = UNROUTED, origin } = item;
    return {
      model: step.model,
      version: step.version,
      id: origin?.id ?? '',
      inputs,
      rawInput: undefined,
      lease: JoinedLease.of(leases),
      outputs: step.gives.map(({ name }) => ({ name, classification: 0 })),
      parameters: origin?.parameters ?? NO_PARAMETERS,
      priority: item.priority,
      timeoutUs: item.timeoutUs,
      deadlineNs: item.deadlineNs,
      behalf: { tenant, criticality, charge },
      trace,
      ...(origin?.caller === undefined ? {} : { caller: origin.caller }),
      // As in Triton: each model that serves sequences has the one that the request is in.
      ...(item.sequence === undefined ? {} : { sequence: item.sequence }),
      receivedNs: nowNs,
      decodedNs: nowNs,
    };
  }

  /** Outputs are the lane's until this returns. */
  #done(step: GraphStep, response: InferenceResponse, watch: StepWatch): void {
    this.#handles[step.index] = undefined;
    if (this.#settled) return;
    const { version, deviceNs = 0, cost } = response;
    const { run, enqueuedNs } = watch;
    if (run !== undefined) this.#ended.push({ step: step.index, version, enqueuedNs, run });
    this.#deviceNs += deviceNs;
    if (cost !== undefined) this.#cost = (this.#cost ?? 0) + cost;
    const rows = this.#rowsOf(step);
    const ready = this.#states.done(step.index);
    const outputs = givenBy(step, response.outputs);
    if (this.#states.complete) {
      this.#finish(step, outputs, rows);
      return;
    }
    try {
      this.#keep(step, outputs, rows);
    } catch (thrown) {
      this.#failed(step, toServingError(thrown));
      return;
    }
    this.#giveBack(step);
    for (const next of ready) this.#send(next);
  }

  #failed(step: GraphStep, error: ServingError): void {
    if (this.#states.state(step.index) === 'sent') this.#states.failed(step.index);
    if (this.#settled) return;
    const { model } = this.#parts.plan.spec.id;
    const { reason, message, cause, retryAfterMs } = error;
    const told = `in ensemble '${model}', ${stepName(step)}: ${message}`;
    this.fail(
      new ServingError(reason, told, {
        ...(cause === undefined ? {} : { cause }),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      }),
    );
  }

  /** Rows of a step's request, which are those of its answer; 0 where its model has no batch axis. */
  #rowsOf(step: GraphStep): number {
    const form = this.#parts.plan.forms[step.index] as StepForm;
    if (!form.batched) return 0;
    for (const { name, tensor: place } of step.takes) {
      const held = this.#held[place];
      if (held !== undefined)
        return handedShape(held.tensor.shape, held.batchRows, form.inputDims.get(name) ?? [], true)[0] ?? 0;
    }
    return 0;
  }

  /** Keeps what others take; what nobody does is left to the lane. */
  #keep(step: GraphStep, outputs: readonly (Tensor | undefined)[], batchRows: number): void {
    for (const [i, { name, tensor: place }] of step.gives.entries()) {
      const uses = this.#usesOf(place);
      if (uses === 0) continue;
      const output = outputs[i];
      if (output === undefined) throw notGiven(`output '${name}'`);
      this.#held[place] = { ...this.#parts.kept.keep(output), batchRows, uses };
    }
  }

  /** A step is answered: its inputs are wanted by one less. */
  #giveBack(step: GraphStep): void {
    for (const place of new Set(step.takes.map(({ tensor }) => tensor))) {
      const held = this.#held[place];
      if (held === undefined || --held.uses > 0) continue;
      this.#held[place] = undefined;
      held.lease?.release();
    }
  }

  /** The last step is answered: what it gave goes on without a copy. */
  #finish(last: GraphStep, outputs: readonly (Tensor | undefined)[], rows: number): void {
    const { plan, item, clock, number } = this.#parts;
    const batched = plan.spec.maxBatchSize > 0;
    const given = plan.graph.outputs.map((place, i): Tensor | undefined => {
      const at = last.gives.findIndex(({ tensor }) => tensor === place);
      const held = this.#held[place];
      const tensor = at < 0 ? held?.tensor : outputs[at];
      if (tensor === undefined) return undefined;
      const { name, dims } = plan.spec.outputs[i] as (typeof plan.spec.outputs)[number];
      const shape = handedShape(tensor.shape, at < 0 ? (held?.batchRows ?? 0) : rows, dims, batched);
      return { name, dataType: tensor.dataType, shape, data: tensor.data };
    });
    const absent = given.indexOf(undefined);
    if (absent >= 0) {
      const name = plan.spec.outputs[absent]?.name;
      const place = plan.graph.outputs[absent] as number;
      if (plan.graph.tensors[place]?.from === -1)
        this.fail(
          new ServingError('MISSING_INPUT', `output '${name}' is an optional input, which the request leaves out`),
        );
      else this.#failed(last, notGiven(`output '${last.gives.find(({ tensor }) => tensor === place)?.name}'`));
      return;
    }
    const sum = (of: (step: WatchedStep) => number) => this.#ended.reduce((total, step) => total + of(step), 0);
    const done: MemberDone = {
      kind: 'done',
      outputs: given as Tensor[],
      execution: number,
      deviceNs: this.#deviceNs,
      cost: this.#cost,
      queueNs: sum(({ run }) => run.queueNs),
      gatherNs: sum(({ run }) => run.gatherNs),
      dispatchNs: sum(({ run }) => run.dispatchNs),
      computeNs: sum(({ run }) => run.computeNs),
      batchRows: batched ? item.member.rows : 0,
      batchRequests: 1,
      device: this.#ended.at(-1)?.run.device ?? -1,
      paddingShare: 0,
      batchFinishedNs: clock.nowNs(),
      steps: this.#ended,
    };
    this.#settle(done);
  }

  #settle(outcome: MemberOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    const sent = this.#states.drop();
    this.#parts.settle(outcome);
    for (const step of sent) this.#handles[step]?.cancel();
    for (const held of this.#held) held?.lease?.release();
    this.#held.fill(undefined);
  }
}

/** What a step gave, as its outputs were asked for: a filter that answers in its model's place may leave some out. */
function givenBy({ gives }: GraphStep, outputs: readonly Tensor[]): readonly (Tensor | undefined)[] {
  if (outputs.length === gives.length) return outputs;
  return gives.map(({ name }) => outputs.find((output) => output.name === name));
}

function notGiven(what: string): ServingError {
  return new ServingError('OUTPUT_SHAPE_MISMATCH', `${what} was not given`);
}

const NO_PARAMETERS = Object.freeze({});
