import {
  type LatencyBreakdown,
  REASONS,
  RESPONSE_KINDS,
  type Reason,
  type RequestMetrics,
  type ResponseKind,
  ROUTE_EVENTS,
  type RouteEvent,
  spendsErrorBudget,
} from '../core/index.js';
import { EXEMPLAR_SLOTS, writeExemplar } from './latency/exemplars.js';
import { observeInSketch, SKETCH_BINS } from './latency/sketch-bins.js';
import { observeNs, TIME_HISTOGRAM_SLOTS } from './time-histogram.js';

/** Where a request's time goes, in order; `total` is from first byte to encoded reply. */
export const STAGES = ['decode', 'queue', 'gather', 'dispatch', 'compute', 'scatter', 'encode', 'total'] as const;
export type Stage = (typeof STAGES)[number];

/** Routes of a model that have figures of their own: places 1 to this (`RouteMark.place`); the last is that of all others. */
export const ROUTE_PLACES = 16;
/** Levels of priority that have figures of their own, the last with all below it. */
export const PRIORITY_PLACES = 8;

/** Responses of decoupled models that have figures of their own, by their place from 0; the last has all beyond it. */
export const RESPONSE_PLACES = 32;

/** Slot of each reason, as one constant object: a Map would be asked for every failure. */
const REASON_SLOTS = Object.fromEntries(REASONS.map((reason, i) => [reason, i])) as Record<Reason, number>;
/** Of a route: failures that are the server's, and the others. */
const FAILURE_SLOTS = Object.fromEntries(
  REASONS.map((reason) => [reason, spendsErrorBudget(reason) ? 0 : 1]),
) as Record<Reason, number>;

/** The slots of a version's figures in their array: one histogram a stage, then the single ones. */
const FAILED = STAGES.length * TIME_HISTOGRAM_SLOTS;
const FAILED_NS = FAILED + REASONS.length;
const ROWS = FAILED_NS + 1;
const ROUTED = ROWS + 1;
/** Of a response: count and nanoseconds by kind, then of all with outputs the time in the model and until it was handed on. */
const RESPONSES = ROUTED + ROUTE_EVENTS.length;
const RESPONSE_INFER_NS = 2 * RESPONSE_KINDS.length;
const RESPONSE_SLOTS = RESPONSE_INFER_NS + 2;
/** Those that the protocol's statistics are made of end here. */
const STATISTICS = RESPONSES + RESPONSE_PLACES * RESPONSE_SLOTS;
const SLOW_NS = STATISTICS;
const SLOW = SLOW_NS + 1;
const SLOW_TOLD = SLOW + 1;
const LONGEST_NS = SLOW_TOLD + 1;
const SKETCH = LONGEST_NS + 1;
const EXEMPLARS = SKETCH + SKETCH_BINS;
const PRIORITIES = EXEMPLARS + EXEMPLAR_SLOTS;
const ROUTES = PRIORITIES + PRIORITY_PLACES * TIME_HISTOGRAM_SLOTS;
const ROUTE_SLOTS = TIME_HISTOGRAM_SLOTS + 2;
const FIRST_RESPONSE = ROUTES + ROUTE_PLACES * ROUTE_SLOTS;
const SLOTS = FIRST_RESPONSE + TIME_HISTOGRAM_SLOTS;

/** Where everything lies, for who reads. */
export const FIGURES = {
  slots: SLOTS,
  statistics: STATISTICS,
  failedNs: FAILED_NS,
  rows: ROWS,
  slow: SLOW,
  slowTold: SLOW_TOLD,
  longestNs: LONGEST_NS,
  sketch: SKETCH,
  exemplars: EXEMPLARS,
  failed: (reason: Reason) => FAILED + REASON_SLOTS[reason],
  stage: (stage: Stage) => STAGES.indexOf(stage) * TIME_HISTOGRAM_SLOTS,
  routed: (event: RouteEvent) => ROUTED + ROUTE_EVENTS.indexOf(event),
  firstResponse: FIRST_RESPONSE,
  /** Of a response (a place from 0) and what it was: the count, then the nanoseconds. */
  responses: (place: number, kind: ResponseKind) =>
    RESPONSES + place * RESPONSE_SLOTS + 2 * RESPONSE_KINDS.indexOf(kind),
  /** Of responses with outputs: nanoseconds in the model, then until they were handed on. */
  responseNs: (place: number) => RESPONSES + place * RESPONSE_SLOTS + RESPONSE_INFER_NS,
  /** Places from 1. */
  route: (place: number) => ROUTES + (place - 1) * ROUTE_SLOTS,
  routeFaults: (place: number) => ROUTES + (place - 1) * ROUTE_SLOTS + TIME_HISTOGRAM_SLOTS,
  priority: (place: number) => PRIORITIES + (place - 1) * TIME_HISTOGRAM_SLOTS,
} as const;

const [DECODE, QUEUE, GATHER, DISPATCH, COMPUTE, SCATTER, ENCODE, TOTAL] = STAGES.map(
  (_, i) => i * TIME_HISTOGRAM_SLOTS,
) as [number, number, number, number, number, number, number, number];

/** Memory for the figures of one version and thread; `shared`: for another thread. */
export function figureSlots(shared = false): Float64Array {
  const slots = shared
    ? new Float64Array(new SharedArrayBuffer(SLOTS * Float64Array.BYTES_PER_ELEMENT))
    : new Float64Array(SLOTS);
  slots[SLOW_NS] = Number.POSITIVE_INFINITY;
  return slots;
}

/** Figures of the requests of one version, as one thread writes them: a handful of additions. */
export class RequestFigures implements RequestMetrics {
  readonly slots: Float64Array;

  constructor(slots: Float64Array = figureSlots()) {
    this.slots = slots;
  }

  succeeded(rows: number, latency: LatencyBreakdown, totalNs: number, route = 0, priority = 0): void {
    const slots = this.slots;
    observeNs(slots, DECODE, latency.decodeNs);
    observeNs(slots, QUEUE, latency.queueNs);
    observeNs(slots, GATHER, latency.gatherNs);
    observeNs(slots, DISPATCH, latency.dispatchNs);
    observeNs(slots, COMPUTE, latency.computeNs);
    observeNs(slots, SCATTER, latency.scatterNs);
    observeNs(slots, ENCODE, latency.encodeNs);
    (slots[ROWS] as number) += rows;
    this.#answered(totalNs, route, priority);
  }

  #answered(totalNs: number, route: number, priority: number): void {
    const slots = this.slots;
    observeNs(slots, TOTAL, totalNs);
    observeInSketch(slots, SKETCH, totalNs);
    if (totalNs > (slots[LONGEST_NS] as number)) slots[LONGEST_NS] = totalNs;
    if (route > 0) observeNs(slots, ROUTES + (route - 1) * ROUTE_SLOTS, totalNs);
    if (priority > 0) {
      const place = priority < PRIORITY_PLACES ? priority : PRIORITY_PLACES;
      observeNs(slots, PRIORITIES + (place - 1) * TIME_HISTOGRAM_SLOTS, totalNs);
    }
  }

  reused(latency: LatencyBreakdown, totalNs: number, route = 0, priority = 0): void {
    const slots = this.slots;
    // The other stages count what was computed.
    observeNs(slots, DECODE, latency.decodeNs);
    observeNs(slots, QUEUE, latency.queueNs);
    observeNs(slots, ENCODE, latency.encodeNs);
    this.#answered(totalNs, route, priority);
  }

  failed(reason: Reason, totalNs: number, route = 0): void {
    (this.slots[FAILED + REASON_SLOTS[reason]] as number)++;
    (this.slots[FAILED_NS] as number) += Math.max(totalNs, 0);
    if (route > 0) (this.slots[FIGURES.routeFaults(route) + FAILURE_SLOTS[reason]] as number)++;
  }

  responded(index: number, kind: ResponseKind, inferNs: number, outputNs: number): void {
    const { slots } = this;
    const place = Math.min(index, RESPONSE_PLACES - 1);
    const at = FIGURES.responses(place, kind);
    (slots[at] as number)++;
    (slots[at + 1] as number) += inferNs + outputNs;
    if (kind === 'success') {
      const times = FIGURES.responseNs(place);
      (slots[times] as number) += inferNs;
      (slots[times + 1] as number) += outputNs;
    }
    if (index === 0 && (kind === 'success' || kind === 'empty')) observeNs(slots, FIRST_RESPONSE, inferNs + outputNs);
  }

  routed(event: RouteEvent): void {
    (this.slots[ROUTED + ROUTE_EVENTS.indexOf(event)] as number)++;
  }

  get slowNs(): number {
    return this.slots[SLOW_NS] as number;
  }

  set slowNs(ns: number) {
    this.slots[SLOW_NS] = ns;
  }

  slow(told: boolean): void {
    (this.slots[SLOW] as number)++;
    if (told) (this.slots[SLOW_TOLD] as number)++;
  }

  traced(traceId: string, totalNs: number, atMs: number): void {
    writeExemplar(this.slots, EXEMPLARS, traceId, totalNs, atMs);
  }
}
