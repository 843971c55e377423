import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fp32, request } from '../../../test/support/specs.js';
import type { TraceSettings } from '../../core/index.js';
import { TimelineBook, TimelineFile, type TimelineNews, TimelineSampler } from '../index.js';

const OFF: TraceSettings = { level: [], rate: 1000, count: -1, logFrequency: 0, file: '/trace' };
const ON: TraceSettings = { ...OFF, level: ['TIMESTAMPS'], rate: 1 };

describe('the settings of timelines', () => {
  it('are those of the start, those of all models over them, those of one over these', () => {
    const book = new TimelineBook(OFF);
    book.change('m', { rate: 2 });
    book.change(undefined, { level: ['TIMESTAMPS'], rate: 5 });
    expect(book.settings('m')).toEqual({ ...OFF, level: ['TIMESTAMPS'], rate: 2 });
    expect(book.settings('n')).toEqual({ ...OFF, level: ['TIMESTAMPS'], rate: 5 });
    book.change('m', { rate: null, count: 3 });
    expect(book.settings('m')).toEqual({ ...OFF, level: ['TIMESTAMPS'], rate: 5, count: 3 });
    book.change('m', { count: null });
    book.change(undefined, { rate: null, level: null });
    expect(book.settings('m')).toEqual(OFF);
    expect(book.rules().models.size).toBe(0);
  });

  it('cannot be those without a file or with a rate of 0, and stay as they were', () => {
    const book = new TimelineBook({ ...OFF, file: '' });
    expect(() => book.change(undefined, { level: ['TENSORS'] })).toThrow(/trace file name is not given/);
    expect(book.settings(undefined)).toEqual({ ...OFF, file: '' });
    const other = new TimelineBook(ON);
    expect(() => other.change('m', { rate: 0 })).toThrow(/sample rate must be non-zero/);
    expect(other.settings('m')).toEqual(ON);
  });

  it('say how many traces are left', () => {
    const book = new TimelineBook({ ...ON, count: 3 });
    const sampler = new TimelineSampler(() => {});
    sampler.goBy(book.rules());
    sampler.sample(request());
    expect(book.settings(undefined).count).toBe(2);
  });
});

describe('the choice of requests', () => {
  it('is of every one in so many, up to the count, over all threads together', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: -1, max: 9 }),
        fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 60 }),
        (rate, count, turns) => {
          const rules = new TimelineBook({ ...ON, rate, count }).rules();
          const threads = [0, 1, 2].map(() => new TimelineSampler(() => {}));
          for (const thread of threads) thread.goBy(rules);
          const chosen = turns.map((turn) => threads[turn]?.sample(request()) !== undefined);
          const due = turns.map((_, i) => (i + 1) % rate === 0);
          const expected = due.map((is, i) => is && (count < 0 || due.slice(0, i + 1).filter(Boolean).length <= count));
          expect(chosen).toEqual(expected);
        },
      ),
    );
  });

  it('is of models by their own rules, of none where they are off', () => {
    const book = new TimelineBook(ON);
    book.change('quiet', { level: [] });
    const sampler = new TimelineSampler(() => {});
    expect(sampler.active).toBe(false);
    sampler.goBy(book.rules());
    expect(sampler.active).toBe(true);
    expect(sampler.sample(request({ model: 'quiet' }))).toBeUndefined();
    expect(sampler.sample(request({ model: 'm' }))).toBeDefined();
    book.change(undefined, { level: [] });
    sampler.goBy(book.rules());
    expect(sampler.active).toBe(false);
  });

  it('leaves out what comes while the writer is behind, and says how many', () => {
    const news: TimelineNews[] = [];
    const sampler = new TimelineSampler((one) => news.push(one));
    sampler.goBy(new TimelineBook({ ...ON, level: ['TENSORS'] }).rules());
    const watched = { model: 'm', protocol: 'http', receivedNs: 0, told: { request: undefined, mark: undefined } };
    const kept = Array.from({ length: 5000 }, () => sampler.sample(request({ inputs: [fp32('x', [1, 2], [1, 2.5])] })));
    expect(kept.filter((one) => one !== undefined)).toHaveLength(4096);
    for (const one of kept) one?.ended(watched as never, 1);
    expect(news[0]).toMatchObject({ dropped: 904 });
    expect(JSON.parse(`[${news[0]?.text}]`)).toEqual([
      { id: 1, model_name: 'm', model_version: -1 },
      { id: 1, activity: 'TENSOR_QUEUE_INPUT', tensor: { name: 'x', data: '1,2.5', shape: '1,2', dtype: 'FP32' } },
    ]);
    sampler.taken();
    expect(sampler.sample(request())).toBeDefined();
  });
});

describe('the file of timelines', () => {
  let folder: string;
  const failures: unknown[] = [];
  const fileAt = (path: string) => new TimelineFile({ path, failed: (cause) => failures.push(cause) });
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'));

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'penstock-timelines-'));
    failures.length = 0;
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('is a whole array after each write', async () => {
    const file = fileAt(join(folder, 't'));
    const plan = { logFrequency: 0, count: -1 };
    const text = (n: number) => `{"id":${n}},{"id":${n},"größe":1}`;
    file.add(1, text(1), plan);
    file.add(1, text(2), plan);
    await file.close();
    expect(read('t').map(({ id }: { id: number }) => id)).toEqual([1, 1, 2, 2]);
    const again = fileAt(join(folder, 'u'));
    for (let n = 0; n < 3; n++) {
      again.add(1, text(n), plan);
      again.keep(() => false);
    }
    await again.close();
    expect(read('u')).toHaveLength(6);
    expect(failures).toEqual([]);
  });

  it('is one of its own for so many, and for the last of a count; what is left goes into the first', async () => {
    const file = fileAt(join(folder, 't'));
    for (let n = 0; n < 5; n++) file.add(1, `{"id":${n}}`, { logFrequency: 2, count: -1 });
    for (let n = 5; n < 8; n++) file.add(2, `{"id":${n}}`, { logFrequency: 0, count: 3 });
    file.add(3, '{"id":8}', undefined);
    await file.close();
    expect(readdirSync(folder).sort()).toEqual(['t', 't.0', 't.1', 't.2']);
    expect([read('t.0'), read('t.1'), read('t.2')].map((one) => one.length)).toEqual([2, 2, 3]);
    expect(read('t')).toEqual([{ id: 8 }, { id: 4 }]);
  });

  it('that cannot be made is told, and nothing else happens', async () => {
    const file = fileAt(join(folder, 'no', 't'));
    file.add(1, '{}', undefined);
    await file.close();
    expect(failures).toHaveLength(1);
  });
});
