import type { Attributes, Link } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { ATTR_ERROR_TYPE } from '@opentelemetry/semantic-conventions';
import { ERRORS, type Reason } from '../../core/index.js';
import { redactText } from '../redaction.js';
import type { BatchSpans } from './batch-spans.js';
import { newSpanId, type Random } from './ids.js';
import { requestAttributes } from './request-attributes.js';
import { KIND, type SpanMaker, spanContext } from './span-maker.js';
import type { CopyRecord, RequestRecord, RunRecord, StepRecord, TraceRecord } from './trace-record.js';

export interface RequestSpansParts {
  readonly maker: SpanMaker;
  readonly batches: BatchSpans;
  readonly random: Random;
}

type Child = (
  name: string,
  startNs: number,
  endNs: number,
  more?: { links?: Link[]; failure?: string | undefined },
) => ReadableSpan;

/** The spans of one request, or of a copy of one: what it did, one after the other, below a span for the whole. */
export class RequestSpans {
  readonly #parts: RequestSpansParts;

  constructor(parts: RequestSpansParts) {
    this.#parts = parts;
  }

  of(record: TraceRecord): ReadableSpan[] {
    return record.kind === 'request' ? this.#request(record) : this.#copy(record);
  }

  #request(record: RequestRecord): ReadableSpan[] {
    const { maker } = this.#parts;
    const { traceId, spanId, traceState, parentId, receivedNs, decodedNs, enqueuedNs, answeredNs, endedNs, run } =
      record;
    const server = maker.make({
      name: record.model === '' ? 'infer' : `infer ${record.model}`,
      traceId,
      spanId,
      parentId,
      parentIsRemote: true,
      traceState,
      kind: KIND.SERVER,
      startNs: receivedNs,
      endNs: endedNs,
      attributes: requestAttributes(record),
      failure: failureOf(record.reason, record.message),
    });
    const child = this.#childOf(traceId, spanId);
    const spans = [server];
    // What was begun last is what failed.
    const failed = failureOf(record.reason, '');
    if (decodedNs === 0) return [...spans, child('decode', receivedNs, answeredNs, { failure: failed })];
    spans.push(child('decode', receivedNs, decodedNs));
    if (enqueuedNs === 0) return [...spans, child('admit', decodedNs, answeredNs, { failure: failed })];
    spans.push(child('admit', decodedNs, enqueuedNs));
    if (run === undefined) return [...spans, child('queue', enqueuedNs, answeredNs, { failure: failed })];
    spans.push(...this.#ran(run, enqueuedNs, traceId, spanId, child, run.whole ? undefined : failed));
    if (!run.whole) return spans;
    spans.push(child('scatter', run.finishedNs, answeredNs), child('encode', answeredNs, endedNs, { failure: failed }));
    return spans;
  }

  /** A trace of its own: its request was answered without it. */
  #copy(record: CopyRecord): ReadableSpan[] {
    const { maker, random } = this.#parts;
    const { traceId, model, version, reason, enqueuedNs, endedNs, run } = record;
    const spanId = newSpanId(random);
    const startNs = enqueuedNs === 0 ? endedNs : enqueuedNs;
    const attributes: Attributes = { 'penstock.model.name': model, 'penstock.model.version': version };
    const links = [{ context: spanContext(record.originTraceId, record.originSpanId) }];
    const root = maker.make({
      name: `shadow ${model}`,
      traceId,
      spanId,
      startNs,
      endNs: endedNs,
      attributes: reason === undefined ? attributes : { ...attributes, [ATTR_ERROR_TYPE]: reason },
      links,
      failure: failureOf(reason, ''),
    });
    const child = this.#childOf(traceId, spanId);
    return run === undefined ? [root] : [root, ...this.#ran(run, enqueuedNs, traceId, spanId, child)];
  }

  #ran(
    run: RunRecord,
    enqueuedNs: number,
    traceId: string,
    spanId: string,
    child: Child,
    failure?: string,
  ): ReadableSpan[] {
    if (run.steps !== undefined) return run.steps.flatMap((step) => this.#step(step, traceId, spanId));
    // In no execution: its answer was another request's.
    if (run.execution === 0) return [child('reuse', enqueuedNs, run.finishedNs, { failure })];
    const batch = this.#parts.batches.join(run, spanContext(traceId, spanId));
    const queue = child('queue', enqueuedNs, run.takenNs);
    return [queue, child('compute', run.takenNs, run.finishedNs, { links: [{ context: batch }], failure })];
  }

  /** A step of an ensemble: a request of its own, below that of the ensemble. */
  #step({ step, enqueuedNs, run }: StepRecord, traceId: string, parentId: string): ReadableSpan[] {
    const { maker, random } = this.#parts;
    const spanId = newSpanId(random);
    const whole = maker.make({
      name: `step ${run.model}`,
      traceId,
      spanId,
      parentId,
      startNs: enqueuedNs,
      endNs: run.finishedNs,
      attributes: {
        'penstock.model.name': run.model,
        'penstock.model.version': run.version,
        'penstock.ensemble.step': step,
      },
    });
    return [whole, ...this.#ran(run, enqueuedNs, traceId, spanId, this.#childOf(traceId, spanId))];
  }

  #childOf(traceId: string, parentId: string): Child {
    const { maker, random } = this.#parts;
    return (name, startNs, endNs, more = {}) =>
      maker.make({ name, traceId, spanId: newSpanId(random), parentId, startNs, endNs, ...more });
  }
}

/** Of a server's span: what is the caller's fault is no error here. */
function failureOf(reason: Reason | undefined, message: string): string | undefined {
  if (reason === undefined || ERRORS[reason].http < 500) return undefined;
  return message === '' ? reason : redactText(message);
}
