import {
  type ChargeSource,
  type Clock,
  type EjectionState,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type MetricsSink,
  type ModelSpec,
  type ModelTraffic,
  type ModelVersionId,
  type ReleaseFacts,
  ServingError,
  type SlowRequests,
  toServingError,
  type WantedTraits,
} from '../../core/index.js';
import { type Filtered, type RouteDecision, RoutingTable } from '../router/index.js';
import type { Admitted } from './admission.js';
import type { BudgetGate } from './budget-gate.js';
import { Callers } from './callers.js';
import { copyStep } from './copied-step.js';
import { Ejections } from './ejections.js';
import { filteredAnswer } from './filtered-answer.js';
import { InferenceCall } from './inference-call.js';
import { ReleaseWatch } from './release-watch.js';
import { ResponseStream } from './response-stream.js';
import { SecondTry } from './second-try.js';
import type { ServedVersion } from './served-version.js';
import { type ShadowLimits, Shadows } from './shadows.js';

export interface DataplaneOptions {
  readonly clock: Clock;
  readonly metrics: Pick<MetricsSink, 'refused'>;
  readonly whyAbsent: WhyAbsent;
  /** Whom requests are answered for; default: nobody is told apart. */
  readonly callers?: Callers;
  /** Under what requests are booked; default: charges of its own. */
  readonly charges?: ChargeSource;
  /** Refuses requests whose budgets are used up; absent: no budget refuses. */
  readonly budgets?: BudgetGate | undefined;
  /** Told of requests that a split assigned, and of their shadows; absent: nobody wants to know, and nothing is copied. */
  readonly releases?: { readonly facts: ReleaseFacts; readonly shadows: ShadowLimits };
  /** Told of requests that were slow (`RequestMetrics.slowNs`); absent: they are only counted. */
  readonly slow?: SlowRequests;
  /** Told of versions that were taken out of their splits, tried, or taken in again, on this thread. */
  readonly onEjection?: (id: ModelVersionId, state: EjectionState, why: string) => void;
}

/**
 * Why a model or version that no table names cannot be used (e.g. still loading); undefined = it does not exist. A promise
 * where another thread has to be asked: the request is routed once more when it answers, as the table may have changed.
 */
export type WhyAbsent = (
  model: string,
  version: number | undefined,
) => ServingError | undefined | Promise<ServingError | undefined>;

/**
 * The single path of an inference, whatever protocol it came by: admit, route, enqueue, reply, account. It holds the
 * routing table in force; `publish` replaces it in one assignment.
 */
export class Dataplane {
  readonly #clock: Clock;
  readonly #metrics: DataplaneOptions['metrics'];
  readonly #whyAbsent: WhyAbsent;
  readonly #callers: Callers;
  readonly #budgets: BudgetGate | undefined;
  readonly #watch: ReleaseWatch | undefined;
  readonly #ejections: Ejections;
  readonly #slow: SlowRequests | undefined;
  #table: RoutingTable<ServedVersion>;

  constructor(options: DataplaneOptions) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#whyAbsent = options.whyAbsent;
    const callers = options.callers ?? new Callers();
    this.#callers = callers;
    this.#slow = options.slow;
    this.#budgets = options.budgets;
    this.#watch = options.releases && this.#watchOver(options.releases);
    this.#table = RoutingTable.empty((request) => callers.tenantOf(request).name, options.charges);
    this.#ejections = new Ejections({
      clock: options.clock,
      versions: (model) => this.#table.versions(model).map(({ target }) => target),
      changed: (model, ejected) => {
        this.#table = this.#table.passingOver(model, ejected);
      },
      told: options.onEjection ?? (() => {}),
    });
  }

  get table(): RoutingTable<ServedVersion> {
    return this.#table;
  }

  /** What a transport has to read of its callers for the table in force; undefined: nothing. */
  get wanted(): WantedTraits | undefined {
    return this.#table.wanted;
  }

  /**
   * From the next request on, exactly these versions of `model` serve, and requests find them by `traffic`; none takes it away.
   * `table`: the number of the control thread's table, on another thread. Throws as `RoutingTable.with`; then nothing changes.
   */
  publish(model: string, versions: readonly ServedVersion[], traffic?: ModelTraffic, table?: number): void {
    const entries = versions.map((served) => ({
      version: served.spec.id.version,
      target: served,
      inputs: served.spec.inputs,
    }));
    this.#table = this.#table.with(model, entries, traffic, table, this.#ejections.among(versions));
  }

  /**
   * Takes one request. Never throws. `reply` is called exactly once: at once where the request is refused, else when its
   * batch ends, its deadline passes, or it is cancelled. Tensors of a response are valid only during `reply.done`.
   */
  infer(request: InferenceRequest, reply: InferenceReply): InferenceHandle {
    const refusal = this.#budgets?.refusal(request);
    if (refusal !== undefined) return this.#refuse(reply, refusal);
    let decision: RouteDecision<ServedVersion>;
    try {
      decision = this.#table.route(request);
    } catch (thrown) {
      return this.#absent(request, reply, thrown);
    }
    return this.#accept(decision, request, reply);
  }

  /**
   * Takes a step of a copy of an ensemble's request: it goes by the routes that hold for requests, and is answered in spare time.
   * Never throws; `reply` is called exactly once.
   */
  copy(request: InferenceRequest, reply: InferenceReply): InferenceHandle {
    try {
      return copyStep(this.#table.route(request), request, reply, this.#clock);
    } catch (thrown) {
      reply.failed(toServingError(thrown));
      return NOTHING_TO_CANCEL;
    }
  }

  /**
   * The spec of that version, or of the one that requests without a version get by default: for protocols whose bodies do not
   * say what their tensors are. Throws as a request would be refused, or rejects where another thread had to be asked.
   */
  specOf(model: string, version: number | undefined): ModelSpec | Promise<ModelSpec> {
    return this.#known(model, version, () => this.#table.targetOf(model, version).spec);
  }

  /** The version that a label of the model's routes stands for. Throws and rejects as `specOf`. */
  versionOf(model: string, label: string): number | Promise<number> {
    return this.#known(model, undefined, () => this.#table.labelled(model, label));
  }

  /** What the table says; where it knows nothing of it, why, or what it says when the control thread has been asked. */
  #known<T>(model: string, version: number | undefined, look: () => T): T | Promise<T> {
    try {
      return look();
    } catch (thrown) {
      const why = this.#whyAbsent(model, version);
      if (!(why instanceof Promise)) throw why ?? thrown;
      return why.then((error) => {
        try {
          return look();
        } catch (again) {
          throw error ?? again;
        }
      });
    }
  }

  /** Specs of the models of texts that serve. */
  textModels(): ModelSpec[] {
    return this.#table
      .targets()
      .map(({ spec }) => spec)
      .filter(({ text }) => text !== undefined);
  }

  #watchOver({ facts, shadows: limits }: NonNullable<DataplaneOptions['releases']>): ReleaseWatch {
    const serves = (served: ServedVersion) =>
      this.#table.versions(served.spec.id.model).some(({ target }) => target === served);
    return new ReleaseWatch(facts, new Shadows({ clock: this.#clock, facts, limits, serves }));
  }

  #accept(decision: RouteDecision<ServedVersion>, request: InferenceRequest, reply: InferenceReply): InferenceHandle {
    const { filtered, spared } = decision;
    if (filtered !== undefined) return this.#filter(decision, filtered, request, reply);
    const probes = spared !== undefined && this.#ejections.mayProbe(spared.primary);
    const first = probes ? spared : decision;
    const { primary, fallback } = first;
    // A second version would not know the sequence.
    if (fallback === undefined || primary.spec.sequences === true) return this.#send(first, request, reply, probes);
    const { onError, afterNs } = fallback;
    return new SecondTry(
      {
        clock: this.#clock,
        request,
        first: (outcome) => this.#send(first, request, outcome, probes),
        second: (outcome) => {
          primary.metrics.routed('second_try');
          return this.#send(fallback.decision, request, outcome);
        },
        onError,
        afterNs,
        gaveUp: () => this.#gaveUp(first, request, probes),
      },
      reply,
    ).begin();
  }

  /** The first version was too late: it is cancelled, which says nothing of it, so this does. */
  #gaveUp(decision: RouteDecision<ServedVersion>, request: InferenceRequest, probes: boolean): void {
    const { primary, ejection, split } = decision;
    if (ejection !== undefined) this.#ejections.note(primary, ejection, 'failed', probes);
    const totalNs = this.#clock.nowNs() - request.receivedNs;
    if (split !== 0) this.#watch?.failed(request, decision, primary.spec, 'DEADLINE_EXCEEDED', 0, totalNs);
  }

  #send(
    decision: RouteDecision<ServedVersion>,
    request: InferenceRequest,
    reply: InferenceReply,
    probes = false,
  ): InferenceHandle {
    const { primary: served, mark, split, shadows, judged, ejection } = decision;
    const watch = split === 0 && shadows.length === 0 && !judged ? undefined : this.#watch;
    const told = ejection === undefined ? reply : this.#ejections.watched(served, ejection, probes, reply);
    try {
      if (request.deadlineNs <= this.#clock.nowNs()) {
        throw new ServingError('DEADLINE_EXCEEDED', 'the deadline had passed when the request arrived (admission)');
      }
      const admitted = served.admission.admit(request);
      if (served.spec.decoupled) return this.#sendDecoupled(decision, request, admitted, watch, told);
      const call = new InferenceCall(request, admitted, decision, watch, this.#callers, this.#clock, this.#slow, told);
      served.queue.enqueue(call);
      return call;
    } catch (thrown) {
      const error = toServingError(thrown);
      const totalNs = this.#clock.nowNs() - request.receivedNs;
      served.metrics.failed(error.reason, totalNs, mark.place);
      told.failed(error, mark);
      watch?.failed(request, decision, served.spec, error.reason, 0, totalNs);
      return NOTHING_TO_CANCEL;
    }
  }

  /** Its responses but the last come past the queue. Throws as `RequestQueue.enqueue`, and what `checkReply` does. */
  #sendDecoupled(
    decision: RouteDecision<ServedVersion>,
    request: InferenceRequest,
    admitted: Admitted,
    watch: ReleaseWatch | undefined,
    reply: InferenceReply,
  ): InferenceHandle {
    const { primary: served } = decision;
    ResponseStream.checkReply(reply, served);
    const stream = new ResponseStream(request, decision, admitted.outputs, this.#clock, reply);
    const streamed: Admitted = { ...admitted, member: { ...admitted.member, parts: stream } };
    // What comes one by one is not compared with what another version gives.
    const alone = decision.shadows.length === 0 ? decision : { ...decision, shadows: [] };
    const call = new InferenceCall(request, streamed, alone, watch, this.#callers, this.#clock, this.#slow, stream);
    stream.handle = call;
    served.queue.enqueue(call);
    return call;
  }

  #filter(
    { primary: served, mark }: RouteDecision<ServedVersion>,
    filtered: Filtered,
    request: InferenceRequest,
    reply: InferenceReply,
  ): InferenceHandle {
    try {
      if (filtered.kind === 'blocked') throw new ServingError('BLOCKED', filtered.message);
      const response = filteredAnswer(request, served, filtered.outputs, mark, this.#clock);
      served.metrics.routed('answered_by_filter');
      reply.done(response);
      return NOTHING_TO_CANCEL;
    } catch (thrown) {
      const error = toServingError(thrown);
      served.metrics.failed(error.reason, this.#clock.nowNs() - request.receivedNs, mark.place);
      reply.failed(error, mark);
      return NOTHING_TO_CANCEL;
    }
  }

  #absent(request: InferenceRequest, reply: InferenceReply, unknown: unknown): InferenceHandle {
    const why = this.#whyAbsent(request.model, request.version);
    if (!(why instanceof Promise)) return this.#refuse(reply, why ?? unknown);
    let cancelled = false;
    let accepted: InferenceHandle | undefined;
    const answer = (error: unknown) => {
      if (cancelled) this.#refuse(reply, new ServingError('CLIENT_CANCELLED', 'the client cancelled the request'));
      else accepted = this.#again(request, reply, error);
    };
    why.then((error) => answer(error ?? unknown), answer);
    return {
      cancel: () => {
        cancelled = true;
        accepted?.cancel();
      },
    };
  }

  /** Another thread was asked, and its answer came after whatever it published before. */
  #again(request: InferenceRequest, reply: InferenceReply, absent: unknown): InferenceHandle {
    let decision: RouteDecision<ServedVersion>;
    try {
      decision = this.#table.route(request);
    } catch {
      return this.#refuse(reply, absent);
    }
    return this.#accept(decision, request, reply);
  }

  #refuse(reply: InferenceReply, thrown: unknown): InferenceHandle {
    const error = toServingError(thrown);
    this.#metrics.refused(error.reason);
    reply.failed(error);
    return NOTHING_TO_CANCEL;
  }
}

const NOTHING_TO_CANCEL: InferenceHandle = Object.freeze({ cancel: () => {} });
