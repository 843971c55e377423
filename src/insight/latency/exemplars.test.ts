import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EXEMPLAR_SLOTS, readExemplars, writeExemplar } from './exemplars.js';

const traceId = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 });

it('the latest traced request of a bucket is its exemplar, over all threads', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ traceId, ms: fc.integer({ min: 1, max: 20_000 }) }), { minLength: 1 }),
      (requests) => {
        const threads = [new Float64Array(EXEMPLAR_SLOTS), new Float64Array(EXEMPLAR_SLOTS)] as const;
        for (const [i, { traceId: id, ms }] of requests.entries())
          writeExemplar(threads[i % 2] as Float64Array, 0, id, ms * 1e6, 1000 + i);
        const last = requests[requests.length - 1] as { traceId: string; ms: number };
        expect(readExemplars(threads, 0)).toContainEqual({
          traceId: last.traceId,
          seconds: last.ms / 1000,
          atMs: 1000 + requests.length - 1,
        });
      },
    ),
    { numRuns: 50 },
  );
});

it('what is no id of a trace is none', () => {
  const slots = new Float64Array(EXEMPLAR_SLOTS);
  for (const text of ['', 'x'.repeat(32), `${'a'.repeat(32)}"}`, 'A'.repeat(32)]) writeExemplar(slots, 0, text, 1, 1);
  expect(readExemplars([slots], 0).every((one) => one === undefined)).toBe(true);
});
