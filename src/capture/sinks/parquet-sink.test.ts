import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keptReport, storedRow } from '../../../test/support/captured-rows.js';
import { readCaptureFile } from '../capture-file.js';
import type { CapturedRow, CapturedTensor, StoredRow } from '../captured-row.js';
import { RowHashing } from '../row-hashing.js';
import { type ParquetSettings, ParquetSink } from './parquet-sink.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-writer-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function setUp({ nowMs, ...settings }: Partial<ParquetSettings> & { nowMs?: () => number } = {}) {
  const report = keptReport();
  const timers: (() => void)[] = [];
  let atMs = Date.UTC(2026, 10, 21, 12);
  const sink = new ParquetSink(
    {
      kind: 'parquet',
      name: 'files',
      folder,
      prefix: 'capture',
      fileBytes: 1e9,
      fileMs: 60_000,
      maxBytes: 1e9,
      maxFiles: 1e9,
      keepMs: Number.POSITIVE_INFINITY,
      maxQueueBytes: 1e9,
      ...settings,
    },
    {
      nowMs: nowMs ?? (() => atMs++),
      after: (_, fire) => {
        timers.push(fire);
        return () => timers.splice(timers.indexOf(fire), 1);
      },
    },
    report,
  );
  const hashing = new RowHashing();
  const writer = { add: (row: CapturedRow) => sink.add(hashing.stored(row)), flush: () => sink.flush() };
  return { writer, sink, news: report.news, report, timers };
}

const x: CapturedTensor = { name: 'x', datatype: 'UINT8', shape: [1, 3], bytes: 3 };

function row(changes: Partial<CapturedRow> = {}): CapturedRow {
  return {
    atMs: Date.UTC(2026, 10, 21),
    model: 'm',
    requestedVersion: undefined,
    version: 3,
    id: 'a',
    tenant: '',
    hashTenant: false,
    parameters: {},
    asked: [],
    latencyUs: 12.5,
    error: undefined,
    route: 'default',
    sampleRate: 0.5,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
    headers: { 'user-agent': 'curl' },
    hashHeaders: [],
    batchRows: 4,
    queueUs: 1.5,
    computeUs: 7,
    deviceUs: 3.5,
    cost: 1e-7,
    textBytes: 0,
    withRequest: true,
    withAnswer: true,
    inputs: [x],
    outputs: [{ ...x, name: 'y', bytes: 1, shape: [1, 1] }],
    data: Uint8Array.of(1, 2, 3, 9).buffer,
    ...changes,
  };
}

const files = () => readdirSync(folder).sort();
async function rows(file: string): Promise<StoredRow[]> {
  const all: StoredRow[] = [];
  for await (const one of readCaptureFile(join(folder, file))) all.push(one);
  return all;
}

describe('a capture file', () => {
  it('has a row as it was captured', async () => {
    const { writer, news } = setUp();
    writer.add(row({ parameters: { a: 1, b: 'x' }, asked: [{ name: 'y', classification: 2 }], requestedVersion: 3 }));
    writer.add(
      row({ id: 'b', version: undefined, error: 'QUEUE_FULL', outputs: [], data: Uint8Array.of(4, 5, 6).buffer }),
    );
    await writer.flush();
    expect(news).toEqual(['delivered 2']);
    const [first, second] = await rows(files()[0] as string);
    expect(first).toMatchObject({
      atMs: Date.UTC(2026, 10, 21),
      model: 'm',
      requestedVersion: 3,
      version: 3,
      id: 'a',
      parameters: { a: 1, b: 'x' },
      asked: [{ name: 'y', classification: 2 }],
      latencyUs: 12.5,
      error: undefined,
      route: 'default',
      sampleRate: 0.5,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
      headers: { 'user-agent': 'curl' },
      batchRows: 4,
      queueUs: 1.5,
      computeUs: 7,
      deviceUs: 3.5,
      cost: 1e-7,
      inputs: [x],
    });
    expect([[...(first?.inputData ?? [])], [...(first?.outputData ?? [])]]).toEqual([[1, 2, 3], [9]]);
    expect(second).toMatchObject({ version: undefined, error: 'QUEUE_FULL', outputs: [] });
    expect([...(second?.inputData ?? [])]).toEqual([4, 5, 6]);
  });

  it('is read back as it was written, whatever the bytes and texts', async () => {
    const bytes = fc.uint8Array({ maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(bytes, bytes, fc.string()), { minLength: 1, maxLength: 20 }),
        async (given) => {
          const { writer } = setUp();
          for (const [input, output, id] of given) {
            const data = new Uint8Array([...input, ...output]);
            writer.add(
              row({
                id,
                inputs: [{ ...x, bytes: input.byteLength, shape: [input.byteLength] }],
                outputs: [{ ...x, name: 'y', bytes: output.byteLength, shape: [output.byteLength] }],
                data: data.buffer,
              }),
            );
          }
          await writer.flush();
          const back = await rows(files().at(-1) as string);
          rmSync(folder, { recursive: true });
          expect(back.map((one) => [[...one.inputData], [...one.outputData], one.id])).toEqual(
            given.map(([input, output, id]) => [[...input], [...output], id]),
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  it('is refused by name where it is none of ours', async () => {
    writeFileSync(join(folder, 'x.parquet'), 'no parquet at all');
    await expect(rows('x.parquet')).rejects.toThrow(/x\.parquet: not a Parquet file/);
    await expect(rows('none.parquet')).rejects.toThrow(/cannot be read \(ENOENT\)/);
  });
});

describe('redaction', () => {
  it('leaves a hash in the place of bytes, equal for equal ones of a run, and another in the next', async () => {
    const hashed = row({ inputs: [{ ...x, redacted: 'hash' }], tenant: 'acme', hashTenant: true });
    const first = setUp();
    first.writer.add(hashed);
    first.writer.add({ ...hashed, id: 'b' });
    await first.writer.flush();
    const second = setUp({ nowMs: () => Date.UTC(2027, 0) });
    second.writer.add(hashed);
    await second.writer.flush();
    const [[a, b], [other]] = (await Promise.all(files().map(rows))) as [StoredRow[], StoredRow[]];
    expect(a?.inputs[0]?.redacted).toMatch(/^hmac-sha256:[0-9a-f]{64}$/);
    expect(a?.inputData.byteLength).toBe(0);
    expect([...(a?.outputData ?? [])]).toEqual([9]);
    expect([b?.inputs[0]?.redacted, b?.tenant]).toEqual([a?.inputs[0]?.redacted, a?.tenant]);
    expect(other?.inputs[0]?.redacted).not.toBe(a?.inputs[0]?.redacted);
    expect(other?.tenant).not.toBe(a?.tenant);
  });
});

describe('files', () => {
  it('are written when they are large or old enough', async () => {
    const { writer, timers, news } = setUp({ fileBytes: 2500 });
    writer.add(row());
    expect(timers).toHaveLength(1);
    writer.add(row());
    writer.add(row());
    expect(timers).toHaveLength(0);
    writer.add(row());
    timers[0]?.();
    await writer.flush();
    expect(news).toEqual(['delivered 3', 'delivered 1']);
  });

  it('take so many bytes in all: the oldest go, and nothing that is not ours', async () => {
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    const { writer, news } = setUp({ maxBytes: 6000 });
    for (let i = 0; i < 6; i++) {
      writer.add(row({ id: String(i) }));
      await writer.flush();
    }
    const left = files();
    expect(left).toContain('notes.txt');
    const kept = left.filter((name) => name.endsWith('.parquet'));
    expect(kept.length).toBeLessThan(6);
    expect((await rows(kept.at(-1) as string))[0]?.id).toBe('5');
    expect(new Set(news)).toEqual(new Set(['delivered 1']));
  });

  it('that cannot be written are lost, told, and in nobody’s way', async () => {
    writeFileSync(join(folder, 'taken'), '');
    const { writer, news } = setUp({ folder: join(folder, 'taken') });
    writer.add(row());
    await writer.flush();
    expect(news).toEqual(['failed 1: EEXIST']);
    expect(files()).toEqual(['taken']);
  });

  it('are at most so many and so old, and those that were begun and never finished go too', async () => {
    const old = new Date(Date.now() - 7_200_000);
    const unfinished = join(folder, '.capture-20250101T000000000Z-1-0.parquet.part');
    const aged = join(folder, 'capture-20250101T000000000Z-1-0.parquet');
    for (const file of [unfinished, aged]) {
      writeFileSync(file, 'x');
      utimesSync(file, old, old);
    }
    let atMs = Date.now();
    const { writer } = setUp({ maxFiles: 3, keepMs: 3_600_000, nowMs: () => atMs++ });
    await writer.flush();
    writer.add(row());
    await writer.flush();
    expect(files()).toHaveLength(1);
    for (let i = 0; i < 5; i++) {
      writer.add(row({ id: String(i) }));
      await writer.flush();
    }
    expect((await Promise.all(files().map(rows))).map(([one]) => one?.id)).toEqual(['2', '3', '4']);
  });

  it('drop rows where the disk is slower than they come', async () => {
    const { sink, report } = setUp({ maxQueueBytes: 4000, fileBytes: 1 });
    for (let i = 0; i < 1000; i++) sink.add(storedRow({ id: String(i) }));
    expect(report.queuedBytes()).toBeLessThanOrEqual(4000);
    expect(report.drops('queue_full')).toBe(997);
    await sink.flush();
    expect(report.queuedBytes()).toBe(0);
    sink.add(storedRow());
    await sink.close(1000);
    expect(report.deliveredRows()).toBe(4);
  });
});
