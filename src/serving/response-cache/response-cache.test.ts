import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BatchMember, Parameters, Tensor } from '../../core/index.js';
import { requestDigest } from './request-digest.js';
import { ResponseCache } from './response-cache.js';

const tensor = (bytes: readonly number[], shape: readonly number[] = [bytes.length]): Tensor => ({
  name: 'x',
  dataType: 'UINT8',
  shape,
  data: Uint8Array.from(bytes),
});
const digest = (...inputs: (Tensor | undefined)[]) =>
  requestDigest({ inputs, rows: 1 } satisfies BatchMember, undefined);

describe('the digest of a request', () => {
  it('is the same for the same inputs, wherever they lie', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(16), 3, 2);
    shared.set([1, 2]);
    expect(digest({ ...tensor([1, 2]), data: shared })).toBe(digest(tensor([1, 2])));
    expect(digest(tensor([1, 2]))).toHaveLength(32);
  });

  it('goes by parameters, but for those of the server itself, whatever their order', () => {
    const member = { inputs: [tensor([1, 2])], rows: 1 };
    const of = (parameters: Parameters) => requestDigest(member, parameters);
    const kinds: Parameters[] = [{}, { a: 1 }, { a: '1' }, { a: true }, { b: 1 }, { a: 1, b: 1 }, { a: 'x"],["b' }];
    expect(new Set(kinds.map(of)).size).toBe(kinds.length);
    expect(of({ a: 1n })).not.toBe(of({ a: 1 }));
    expect(of({ b: 1, a: 1 })).toBe(of({ a: 1, b: 1 }));
    expect(of({ penstock_explain: true, triton_x: 1, traceparent: '00' })).toBe(requestDigest(member, undefined));
  });

  it('differs in each byte, in shapes, in which inputs are there, and in which of them has what', () => {
    const all = [
      digest(tensor([1, 2])),
      digest(tensor([1, 3])),
      digest(tensor([1, 2], [2, 1])),
      digest(tensor([1, 2], [1, 2])),
      digest(tensor([1, 2]), undefined),
      digest(undefined, tensor([1, 2])),
      digest(tensor([1]), tensor([2])),
      digest(tensor([], [0]), tensor([1, 2])),
      digest(tensor([1, 2]), tensor([], [0])),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('a response cache', () => {
  const answer = (bytes: number, fill = 0) => [tensor(new Array<number>(bytes).fill(fill))];

  it('gives back what was put, a copy of its own', () => {
    const cache = new ResponseCache(10_000);
    const shelf = cache.shelf();
    const outputs = [tensor([1, 2]), tensor([3], [1, 1])];
    shelf.put('a', outputs);
    outputs[0]?.data.fill(9);
    expect(shelf.get('a')).toEqual([tensor([1, 2]), tensor([3], [1, 1])]);
    expect(shelf.get('b')).toBeUndefined();
    expect(cache.shelf().get('a')).toBeUndefined();
  });

  it('does not keep what alone is larger than it, and gives nothing up for that', () => {
    const cache = new ResponseCache(2000);
    const shelf = cache.shelf();
    shelf.put('small', answer(100));
    shelf.put('large', answer(3000));
    expect([shelf.get('large'), shelf.get('small')?.length, cache.state.evictions]).toEqual([undefined, 1, 0]);
  });

  it('holds what a plain list by last use would hold, within its bytes', () => {
    const actions = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('put' as const), shelf: fc.nat(1), key: fc.nat(12), bytes: fc.nat(3000) }),
        fc.record({ kind: fc.constant('get' as const), shelf: fc.nat(1), key: fc.nat(12) }),
        fc.record({ kind: fc.constant('clear' as const), shelf: fc.nat(1) }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(actions, fc.integer({ min: 500, max: 12_000 }), (steps, maxBytes) => {
        const cache = new ResponseCache(maxBytes);
        const shelves = [cache.shelf(), cache.shelf()];
        /** Newest last: shelf, key, bytes of data. */
        let model: (readonly [number, string, number])[] = [];
        const weight = (bytes: number) => bytes + 384 + 192;
        const sum = () => model.reduce((total, [, , bytes]) => total + weight(bytes), 0);
        for (const step of steps) {
          const shelf = shelves[step.shelf] as (typeof shelves)[number];
          if (step.kind === 'clear') {
            shelf.clear();
            model = model.filter(([of]) => of !== step.shelf);
            continue;
          }
          const key = String(step.key);
          const known = model.find(([of, k]) => of === step.shelf && k === key);
          if (step.kind === 'get') {
            expect(shelf.get(key)?.[0]?.data.byteLength).toBe(known?.[2]);
            if (known !== undefined) model = [...model.filter((one) => one !== known), known];
            continue;
          }
          shelf.put(key, answer(step.bytes));
          if (known !== undefined || weight(step.bytes) > maxBytes) continue;
          while (sum() + weight(step.bytes) > maxBytes) model = model.slice(1);
          model = [...model, [step.shelf, key, step.bytes]];
        }
        expect(cache.state).toMatchObject({ bytes: sum(), entries: model.length });
        expect(cache.state.bytes).toBeLessThanOrEqual(maxBytes);
      }),
    );
  });
});
