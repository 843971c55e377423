import { type Attributes, type Link, type SpanContext, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { WallClock, WallTime } from './wall-time.js';

export const KIND = SpanKind;

/** What a span is made of; monotonic nanoseconds. */
export interface SpanParts {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty = none. */
  readonly parentId?: string;
  /** Whether the parent is of another process. */
  readonly parentIsRemote?: boolean;
  readonly traceState?: string;
  readonly kind?: SpanKind;
  readonly startNs: number;
  readonly endNs: number;
  readonly attributes?: Attributes;
  readonly links?: readonly Link[];
  /** Set where it failed by the server's fault. */
  readonly failure?: string | undefined;
}

/** Spans as the exporters of OpenTelemetry take them, made after the fact: nothing of its SDK runs while a request does. */
export class SpanMaker {
  readonly #clock: WallClock;
  readonly #resource: Resource;
  readonly #scope: ReadableSpan['instrumentationScope'];

  constructor(clock: WallClock, resource: Resource, version: string) {
    this.#clock = clock;
    this.#resource = resource;
    this.#scope = { name: 'penstock', version };
  }

  make(parts: SpanParts): ReadableSpan {
    const { traceId, parentId = '', startNs, attributes = {}, links = [], failure } = parts;
    const context = spanContext(traceId, parts.spanId, parts.traceState);
    const parent = { ...spanContext(traceId, parentId), isRemote: parts.parentIsRemote ?? false };
    const endNs = Math.max(parts.endNs, startNs);
    return {
      name: parts.name,
      kind: parts.kind ?? SpanKind.INTERNAL,
      spanContext: () => context,
      ...(parentId === '' ? {} : { parentSpanContext: parent }),
      startTime: this.#clock.timeOf(startNs),
      endTime: this.#clock.timeOf(endNs),
      duration: durationOf(endNs - startNs),
      status: failure === undefined ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: failure },
      attributes,
      links: [...links],
      events: [],
      ended: true,
      resource: this.#resource,
      instrumentationScope: this.#scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }
}

/** A sampled span's context, as links and spans name it. */
export function spanContext(traceId: string, spanId: string, traceState = ''): SpanContext {
  const context = { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
  return traceState === '' ? context : { ...context, traceState: verbatim(traceState) };
}

/** The caller's list is passed on, never looked into. */
function verbatim(text: string): NonNullable<SpanContext['traceState']> {
  const state = { get: () => undefined, set: () => state, unset: () => state, serialize: () => text };
  return state;
}

function durationOf(ns: number): WallTime {
  const seconds = Math.floor(ns / 1e9);
  return [seconds, Math.round(ns - seconds * 1e9)];
}
