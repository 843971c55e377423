import {
  type Clock,
  type CriticalityName,
  ERRORS,
  type InferenceRequest,
  type InferenceResponse,
  type Reason,
  type RequestTrace,
  type RouteMark,
  type ServingError,
  type WatchedCopy,
  type WatchedProtocol,
  type WatchedRun,
} from '../../core/index.js';
import type { AccessRecord } from '../access/access-record.js';
import { accessRecord } from '../access/access-records.js';
import type { Timeline, TimelineSampler } from '../timelines/timeline-sampler.js';
import { type HeadRules, keptByHead, randomnessOf } from './head-sampler.js';
import { newSpanId, type Random, traceIdOf } from './ids.js';
import { formatTraceparent, type ParentContext, parseTraceparent, parseTracestate } from './trace-context.js';
import type { KeptFor, TraceRecord } from './trace-record.js';
import { copyRecord, requestRecord } from './trace-records.js';

/** What all requests of a thread share. */
export interface WatchParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly head: HeadRules;
  /** Errors that a trace is kept for although the head would not: none, those that are not the caller's, all. */
  readonly keepErrors: 'none' | 'server' | 'all';
  /** Requests that take longer are kept although the head would not; infinite = none. */
  readonly keepSlowerThanNs: number;
  /** Whether one more trace may be kept; counts it, or that it was not. */
  readonly mayKeep: (keptFor: KeptFor, nowNs: number) => boolean;
  readonly send: (record: TraceRecord) => void;
  /** Told of each request that has ended, kept or not; absent: nobody wants to know. */
  readonly access?: ((record: AccessRecord) => void) | undefined;
  /** Chooses those whose timelines are written (Triton's traces); absent: none are. */
  readonly timelines?: TimelineSampler | undefined;
}

/** One request from its first byte to its last; see `RequestTrace`. Identifiers are made when somebody asks for them. */
export class WatchedRequest implements RequestTrace {
  requestBytes = 0;
  client = '';
  model = '';
  readonly protocol: WatchedProtocol;
  readonly receivedNs: number;
  readonly userAgent: string;
  readonly #parts: WatchParts;
  #parent: ParentContext | undefined;
  #stateText: string;
  #randomness: number;
  #traceId: string | undefined;
  #spanId: string | undefined;
  #keptFor: KeptFor | undefined;
  #request: InferenceRequest | undefined;
  #tenant = '';
  #criticality: CriticalityName | '' = '';
  #enqueuedNs = 0;
  #run: WatchedRun | undefined;
  /** Of an execution that it did not see the end of; 0 = none. */
  #execution = 0;
  #begunNs = 0;
  #response: InferenceResponse | undefined;
  #error: ServingError | undefined;
  #mark: RouteMark | undefined;
  #answeredNs = 0;
  #timeline: Timeline | undefined;

  constructor(
    parts: WatchParts,
    protocol: WatchedProtocol,
    receivedNs: number,
    parent: ParentContext | undefined,
    tracestate: string,
    userAgent: string,
  ) {
    this.#parts = parts;
    this.protocol = protocol;
    this.receivedNs = receivedNs;
    this.userAgent = userAgent;
    this.#parent = parent;
    this.#stateText = tracestate;
    this.#randomness = parent === undefined ? parts.random() : randomnessOf(parent.traceId);
    if (keptByHead(parts.head, parent, this.#randomness)) this.#keptFor = 'head';
  }

  get traceId(): string {
    this.#traceId ??= this.#parent?.traceId ?? traceIdOf(this.#randomness, this.#parts.random);
    return this.#traceId;
  }

  get spanId(): string {
    this.#spanId ??= newSpanId(this.#parts.random);
    return this.#spanId;
  }

  get sampled(): boolean {
    return this.#keptFor !== undefined;
  }

  adopt(traceparent: string, tracestate: string): void {
    const parent = parseTraceparent(traceparent);
    if (parent === undefined) return;
    this.#parent = parent;
    this.#stateText = tracestate;
    this.#traceId = undefined;
    this.#randomness = randomnessOf(parent.traceId);
    this.#keptFor = keptByHead(this.#parts.head, parent, this.#randomness) ? 'head' : undefined;
  }

  decoded(request: InferenceRequest): void {
    this.#request = request;
    this.model = request.model;
    this.#timeline = this.#parts.timelines?.sample(request);
  }

  admitted(enqueuedNs: number, tenant: string, criticality: CriticalityName): void {
    this.#enqueuedNs = enqueuedNs;
    this.#tenant = tenant;
    this.#criticality = criticality;
    this.#run = undefined;
    this.#execution = 0;
  }

  broke(execution: number, begunNs: number | undefined): void {
    if (begunNs === undefined) return;
    this.#execution = execution;
    this.#begunNs = begunNs;
  }

  ran(run: WatchedRun): void {
    this.#run = run;
  }

  answering(response: InferenceResponse, asked: boolean): string | undefined {
    this.#response = response;
    this.#mark = response.mark;
    this.#timeline?.answering(response);
    return this.#decided(undefined, asked);
  }

  failing(error: ServingError, mark: RouteMark | undefined, asked: boolean): string | undefined {
    this.#response = undefined;
    this.#error = error;
    this.#mark = mark;
    return this.#decided(error.reason, asked);
  }

  ended(bytes: number): void {
    const { clock, send, access } = this.#parts;
    const timeline = this.#timeline;
    if (this.sampled || access !== undefined || timeline !== undefined) {
      const endedNs = clock.nowNs();
      timeline?.ended(this, endedNs);
      if (this.sampled) send(requestRecord(this, bytes, endedNs));
      access?.(accessRecord(this, bytes, endedNs, clock.wallMs()));
    }
    // What a copy of the request outlives.
    this.#request = undefined;
    this.#run = undefined;
    this.#response = undefined;
    this.#timeline = undefined;
  }

  copied(copy: WatchedCopy): void {
    const { clock, random, send } = this.#parts;
    if (this.sampled) send(copyRecord(this, copy, traceIdOf(random(), random), clock.nowNs()));
  }

  /** The last word on whether it is kept, and what the answer says of it. */
  #decided(reason: Reason | undefined, asked: boolean): string | undefined {
    const { clock, mayKeep, keepSlowerThanNs } = this.#parts;
    const nowNs = clock.nowNs();
    this.#answeredNs = nowNs;
    let keptFor = this.#keptFor;
    if (keptFor === undefined && reason !== undefined && this.#isKept(reason)) keptFor = 'error';
    if (keptFor === undefined && nowNs - this.receivedNs > keepSlowerThanNs) keptFor = 'latency';
    this.#keptFor = keptFor !== undefined && mayKeep(keptFor, nowNs) ? keptFor : undefined;
    if (this.#keptFor === undefined && !asked) return undefined;
    return formatTraceparent(this.traceId, this.spanId, this.sampled);
  }

  #isKept(reason: Reason): boolean {
    const { keepErrors } = this.#parts;
    return keepErrors === 'all' || (keepErrors === 'server' && ERRORS[reason].http >= 500);
  }

  /** For records, until it has ended. */
  get told() {
    return {
      /** Whether anybody else may know its trace. */
      traced: this.#parent !== undefined || this.sampled,
      parentId: this.#parent?.parentId ?? '',
      traceState: this.#parent === undefined ? '' : parseTracestate(this.#stateText),
      keptFor: this.#keptFor ?? 'head',
      request: this.#request,
      tenant: this.#tenant,
      criticality: this.#criticality,
      enqueuedNs: this.#enqueuedNs,
      run: this.#run,
      execution: this.#execution,
      begunNs: this.#begunNs,
      response: this.#response,
      error: this.#error,
      mark: this.#mark,
      answeredNs: this.#answeredNs,
    };
  }
}
