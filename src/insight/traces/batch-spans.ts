import type { Link, SpanContext } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { newSpanId, type Random, traceIdOf } from './ids.js';
import { type SpanMaker, spanContext } from './span-maker.js';
import type { RunRecord } from './trace-record.js';

/** How long after its first member a batch waits for records of the others: they come from several threads, in bunches. */
const GATHERED_MS = 1000;
/** Batches that wait at once, at most; the oldest goes early. */
const MOST_WAITING = 4096;
/** Links of one span, at most, as in OpenTelemetry's own SDKs. */
const MOST_LINKS = 128;

interface WaitingBatch {
  run: RunRecord;
  readonly context: SpanContext;
  readonly members: SpanContext[];
  readonly sinceMs: number;
}

/**
 * The executions that traced requests were part of: one trace each, linked with its members. Members say all that is known of
 * their batch, so nobody has to tell of a batch while it runs, and one that no traced request was part of costs nothing.
 */
export class BatchSpans {
  readonly #maker: SpanMaker;
  readonly #random: Random;
  readonly #nowMs: () => number;
  readonly #waiting = new Map<string, WaitingBatch>();

  constructor(maker: SpanMaker, random: Random, nowMs: () => number) {
    this.#maker = maker;
    this.#random = random;
    this.#nowMs = nowMs;
  }

  /** Notes a member; gives what it links to. */
  join(run: RunRecord, member: SpanContext): SpanContext {
    const key = `${run.model}/${run.version}/${run.execution}`;
    let batch = this.#waiting.get(key);
    if (batch === undefined) {
      const context = spanContext(traceIdOf(this.#random(), this.#random), newSpanId(this.#random));
      batch = { run, context, members: [], sinceMs: this.#nowMs() };
      this.#waiting.set(key, batch);
    }
    // One that saw the end knows more; of those that did not, who waited longest does.
    else if (!batch.run.whole && (run.whole || run.finishedNs > batch.run.finishedNs)) batch.run = run;
    batch.members.push(member);
    return batch.context;
  }

  /** Spans of batches that are old enough; of all where nothing more will come. */
  *due(all: boolean): Iterable<ReadableSpan> {
    const untilMs = this.#nowMs() - GATHERED_MS;
    for (const [key, batch] of this.#waiting) {
      if (!all && batch.sinceMs > untilMs && this.#waiting.size <= MOST_WAITING) return;
      this.#waiting.delete(key);
      yield* this.#spansOf(batch);
    }
  }

  *#spansOf({ run, context, members }: WaitingBatch): Iterable<ReadableSpan> {
    const { traceId, spanId } = context;
    const { model, version, takenNs, gatheredNs, startedNs, finishedNs } = run;
    const links: Link[] = members.slice(0, MOST_LINKS).map((member) => ({ context: member }));
    const attributes = {
      'penstock.model.name': model,
      'penstock.model.version': version,
      'penstock.batch.execution': run.execution,
      ...(run.whole
        ? {
            'penstock.batch.rows': run.rows,
            'penstock.batch.requests': run.requests,
            'penstock.batch.padding_share': run.paddingShare,
          }
        : {}),
      ...(run.device === '' ? {} : { 'penstock.device': run.device }),
      'penstock.batch.traced_members': members.length,
    };
    yield this.#maker.make({
      name: `batch ${model}`,
      traceId,
      spanId,
      startNs: takenNs,
      endNs: finishedNs,
      attributes,
      links,
    });
    if (!run.whole) return;
    const child = (name: string, startNs: number, endNs: number) =>
      this.#maker.make({ name, traceId, spanId: newSpanId(this.#random), parentId: spanId, startNs, endNs });
    yield child('gather', takenNs, gatheredNs);
    if (startedNs > gatheredNs) yield child('dispatch', gatheredNs, startedNs);
    yield child('run', startedNs, finishedNs);
  }
}
