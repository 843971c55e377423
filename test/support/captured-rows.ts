import type { StoredRow } from '../../src/capture/captured-row.js';
import type { SinkReport } from '../../src/capture/sinks/sink.js';
import type { SinkDrop } from '../../src/core/index.js';

/** What a sink told, kept. */
export interface KeptReport extends SinkReport {
  /** In order: deliveries and drops, in words. */
  readonly news: string[];
  delivered(rows: number, bytes: number): void;
  deliveredRows(): number;
  drops(reason: SinkDrop): number;
  retries(): number;
  queuedBytes(): number;
  mostQueuedBytes(): number;
}

export function keptReport(): KeptReport {
  const news: string[] = [];
  const drops = new Map<SinkDrop, number>();
  let [rows, retries, queued, most] = [0, 0, 0, 0];
  return {
    news,
    delivered(count) {
      rows += count;
      news.push(`delivered ${count}`);
    },
    fileWritten() {},
    retried() {
      retries++;
    },
    dropped(count, reason, why) {
      drops.set(reason, (drops.get(reason) ?? 0) + count);
      news.push(`${reason} ${count}${why === undefined ? '' : `: ${why}`}`);
    },
    queued(bytes) {
      queued = bytes;
      most = Math.max(most, bytes);
    },
    deliveredRows: () => rows,
    drops: (reason) => drops.get(reason) ?? 0,
    retries: () => retries,
    queuedBytes: () => queued,
    mostQueuedBytes: () => most,
  };
}

/** A row of model `m`: x = [1.5, -2] FP32, answered with y = [3]. */
export function storedRow(changes: Partial<StoredRow> = {}): StoredRow {
  return {
    atMs: Date.UTC(2026, 10, 21, 12),
    model: 'm',
    requestedVersion: undefined,
    version: 3,
    id: 'a',
    tenant: '',
    parameters: {},
    asked: [],
    latencyUs: 12.5,
    error: undefined,
    route: undefined,
    sampleRate: 1,
    traceparent: undefined,
    headers: {},
    batchRows: 1,
    queueUs: 0,
    computeUs: 10,
    deviceUs: undefined,
    cost: undefined,
    textBytes: 0,
    withRequest: true,
    withAnswer: true,
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], bytes: 8 }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 1], bytes: 4 }],
    inputData: new Uint8Array(Float32Array.of(1.5, -2).buffer),
    outputData: new Uint8Array(Float32Array.of(3).buffer),
    ...changes,
  };
}
