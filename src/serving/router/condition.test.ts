import { describe, expect, it } from 'vitest';
import { fp32, request, tensorSpec } from '../../../test/support/specs.js';
import { type InferenceRequest, type RouteCondition, serialiseBytes } from '../../core/index.js';
import { forgetParsed } from './attribute-reader.js';
import { compiledCondition } from './condition.js';

function holds(when: RouteCondition, changes: Partial<InferenceRequest> = {}, inputs = [tensorSpec('x', 'FP32', [2])]) {
  const outcome = compiledCondition(when)({ request: request(changes), tenant: () => 'acme', inputs });
  forgetParsed();
  return outcome;
}

const headers = (fields: Record<string, string>) => ({ caller: { headers: fields, client: '10.0.0.7' } });
const text = (value: unknown) => ({
  inputs: [
    {
      name: 'text',
      dataType: 'BYTES' as const,
      shape: [1],
      data: serialiseBytes([new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))]),
    },
  ],
});

describe('conditions', () => {
  it('compare values by their texts, and FP32 elements as they are rounded', () => {
    const header = { from: 'header', name: 'X-Tier' } as const;
    expect(holds({ of: header, equals: 'gold' }, headers({ 'x-tier': 'gold' }))).toBe(true);
    expect(holds({ of: header, equals: 7 }, headers({ 'x-tier': '7' }))).toBe(true);
    expect(holds({ of: header, in: ['a', 'b'] }, headers({ 'x-tier': 'b' }))).toBe(true);
    expect(holds({ of: header, in: ['a', 'b'] }, headers({ 'x-tier': 'c' }))).toBe(false);
    expect(holds({ of: header, prefix: 'go' }, headers({ 'x-tier': 'gold' }))).toBe(true);
    const second = { from: 'input', name: 'x', index: 1 } as const;
    const input = { inputs: [fp32('x', [1, 2], [0.5, 0.1])] };
    expect(holds({ of: second, equals: 0.1 }, input)).toBe(true);
    expect(holds({ of: second, above: 0.05, below: 0.2 }, input)).toBe(true);
    expect(holds({ of: second, above: 0.2 }, input)).toBe(false);
    expect(holds({ of: { ...second, index: 2 }, exists: true }, input)).toBe(false);
  });

  it('of what a request has not hold only where that is asked for', () => {
    const absent = { from: 'header', name: 'x-none' } as const;
    expect(holds({ of: absent, exists: false })).toBe(true);
    expect(holds({ of: absent, exists: true })).toBe(false);
    expect(holds({ of: absent, equals: '' })).toBe(false);
    expect(holds({ not: { of: absent, equals: 'a' } })).toBe(true);
    expect(holds({ of: absent, below: 5 })).toBe(false);
    expect(holds({ of: { from: 'header', name: 'n' }, below: 5 }, headers({ n: ' ' }))).toBe(false);
  });

  it('join by all, any and not', () => {
    const yes: RouteCondition = { of: { from: 'tenant' }, equals: 'acme' };
    const no: RouteCondition = { of: { from: 'tenant' }, equals: 'other' };
    expect(holds({ all: [yes, { not: no }] })).toBe(true);
    expect(holds({ all: [yes, no] })).toBe(false);
    expect(holds({ any: [no, yes] })).toBe(true);
    expect(holds({ any: [no, no] })).toBe(false);
  });

  it('read cookies, parameters, client, request id', () => {
    const cookies = headers({ cookie: 'other=1; idx=no; id="a b"; id=second' });
    expect(holds({ of: { from: 'cookie', name: 'id' }, equals: 'a b' }, cookies)).toBe(true);
    expect(holds({ of: { from: 'cookie', name: 'x' }, exists: true }, cookies)).toBe(false);
    expect(holds({ of: { from: 'client' }, prefix: '10.' }, cookies)).toBe(true);
    expect(holds({ of: { from: 'parameter', name: 'beta' }, equals: true }, { parameters: { beta: true } })).toBe(true);
    expect(holds({ of: { from: 'parameter', name: 'n' }, above: 9 }, { parameters: { n: 2n ** 60n } })).toBe(true);
    expect(holds({ of: { from: 'parameter', name: 'toString' }, exists: true })).toBe(false);
    expect(holds({ of: { from: 'request-id' }, equals: 'r1' }, { id: 'r1' })).toBe(true);
    expect(holds({ of: { from: 'request-id' }, exists: true }, { id: '' })).toBe(false);
  });

  it('read JSON in a BYTES input, and nothing where there is none', () => {
    const at = (...path: (string | number)[]) => ({ from: 'json', input: 'text', path }) as const;
    const body = text({ user: { tags: ['a', 'b'], age: 41 }, ok: true });
    expect(holds({ of: at('user', 'tags', 1), equals: 'b' }, body)).toBe(true);
    expect(
      holds(
        {
          all: [
            { of: at('user', 'age'), above: 40 },
            { of: at('ok'), equals: true },
          ],
        },
        body,
      ),
    ).toBe(true);
    for (const path of [['user'], ['user', 'none'], ['user', 'tags', 9], ['__proto__', 'x'], ['ok', 'length']])
      expect(holds({ of: at(...path), exists: true }, body)).toBe(false);
    expect(holds({ of: at('a'), exists: true }, text('not { JSON'))).toBe(false);
    expect(holds({ of: at('a'), exists: true })).toBe(false);
    expect(holds({ of: { from: 'input', name: 'text', index: 0 }, prefix: 'hel' }, text('hello'))).toBe(true);
  });

  it('read a body that is one raw tensor by the first input of the model', () => {
    const raw = { inputs: [], rawInput: new Uint8Array(Float32Array.of(3, 4).buffer) };
    expect(holds({ of: { from: 'input', name: 'x', index: 1 }, equals: 4 }, raw)).toBe(true);
    expect(holds({ of: { from: 'input', name: 'other', index: 1 }, exists: true }, raw)).toBe(false);
    const bytes = { inputs: [], rawInput: new TextEncoder().encode('{"a":1}') };
    const spec = [tensorSpec('text', 'BYTES', [1])];
    expect(holds({ of: { from: 'json', input: 'text', path: ['a'] }, equals: 1 }, bytes, spec)).toBe(true);
  });

  it('never throw, whatever the inputs hold', () => {
    const broken = { inputs: [{ name: 'text', dataType: 'BYTES' as const, shape: [1], data: Uint8Array.of(9, 0, 0) }] };
    expect(holds({ of: { from: 'input', name: 'text', index: 5 }, exists: true }, broken)).toBe(false);
    const half = { inputs: [{ name: 'x', dataType: 'FP16' as const, shape: [1], data: Uint8Array.of(0, 0x3c) }] };
    expect(holds({ of: { from: 'input', name: 'x', index: 0 }, equals: 1 }, half)).toBe(true);
    const brain = { inputs: [{ name: 'x', dataType: 'BF16' as const, shape: [1], data: Uint8Array.of(0x80, 0x3f) }] };
    expect(holds({ of: { from: 'input', name: 'x', index: 0 }, equals: 1 }, brain)).toBe(true);
  });
});
