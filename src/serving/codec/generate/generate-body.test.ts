import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesElements, ServingError, type Tensor, typedView } from '../../../core/index.js';
import { decodeGenerateBody, type GenerateInput } from './generate-body.js';
import { attachGenerate, decodeGenerate } from './offload-generate.js';

const INPUTS: readonly GenerateInput[] = [
  { name: 'text_input', dataType: 'BYTES', dims: [1] },
  { name: 'stream', dataType: 'BOOL', dims: [1] },
  { name: 'temperature', dataType: 'FP32', dims: [1] },
  { name: 'seed', dataType: 'INT64', dims: [1] },
  { name: 'stop', dataType: 'BYTES', dims: [-1] },
  { name: 'grid', dataType: 'INT32', dims: [-1, -1, 2] },
];

const decode = (body: unknown, batched = false) =>
  decodeGenerateBody(new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)), INPUTS, batched);
const textsOf = ({ data }: Tensor) => [...bytesElements(data)].map((bytes) => Buffer.from(bytes).toString());
const shapes = (tensors: readonly Tensor[]) => Object.fromEntries(tensors.map(({ name, shape }) => [name, shape]));

function reasonOf(body: unknown): string {
  try {
    decode(body);
    return 'none';
  } catch (thrown) {
    return thrown instanceof ServingError ? `${thrown.reason}: ${thrown.message}` : String(thrown);
  }
}

describe('a body of generate', () => {
  it('has inputs by their names, in "parameters" too; the rest are parameters of the request', () => {
    const read = decode({
      id: '7',
      text_input: 'grüße',
      parameters: { stream: true, temperature: 0.5, seed: '9223372036854775807', user: 'me', timeout: 5000 },
      priority: 2,
    });
    const [text, stream, temperature, seed] = read.inputs as [Tensor, Tensor, Tensor, Tensor];
    expect([read.id, read.priority, read.timeoutUs, { ...read.parameters }]).toEqual(['7', 2, 5000, { user: 'me' }]);
    expect(textsOf(text)).toEqual(['grüße']);
    expect([...stream.data]).toEqual([1]);
    expect(typedView('FP32', temperature.data)[0]).toBe(0.5);
    expect(typedView('INT64', seed.data)[0]).toBe(2n ** 63n - 1n);
  });

  it('gets its shapes from the model: fixed axes first, the rest to the innermost one of any size', () => {
    const read = decode({ text_input: 'a', stop: ['x', 'y', 'z'], grid: [1, 2, 3, 4] });
    expect(shapes(read.inputs)).toEqual({ text_input: [1], stop: [3], grid: [1, 2, 2] });
    const batched = decode({ text_input: ['a', 'b'], stop: [] }, true);
    expect(shapes(batched.inputs)).toEqual({ text_input: [2, 1], stop: [1, 0] });
  });

  it('may be empty', () => {
    expect(decode('')).toMatchObject({ id: '', inputs: [] });
    expect(decode('{}').inputs).toEqual([]);
  });

  it.each([
    ['[1]', 'MALFORMED_REQUEST: the body must be a JSON object, came a list'],
    ['{', 'MALFORMED_REQUEST: the body is no JSON'],
    ['null', 'MALFORMED_REQUEST: the body must be a JSON object, came null'],
    [{ id: 3 }, 'MALFORMED_REQUEST: "id" must be a string, came a number'],
    [{ parameters: [1] }, 'MALFORMED_REQUEST: "parameters" must be an object, came a list'],
    [{ text_input: 5 }, 'DATA_TYPE_MISMATCH: input "text_input": element 0 (5) is no BYTES'],
    [
      { text_input: null },
      'DATA_TYPE_MISMATCH: input "text_input": expected a BYTES value or a flat list of them, came null',
    ],
    [{ stop: ['a', ['b']] }, 'came a list with a list'],
    [{ stop: [null] }, 'came a list with null'],
    [{ text_input: ['a', 'b'] }, 'SHAPE_MISMATCH: input "text_input": 2 values do not make a tensor of shape [1]'],
    [{ grid: [1, 2, 3] }, 'SHAPE_MISMATCH: input "grid": 3 values do not make a tensor of shape [-1,-1,2]'],
    [{ stream: 1 }, 'DATA_TYPE_MISMATCH: input "stream": element 0 (1) is no BOOL'],
    [{ seed: 1.5 }, 'DATA_TYPE_MISMATCH: input "seed": element 0 (1.5) is no INT64'],
    [{ seed: 2 ** 60 }, 'is no INT64'],
    [
      { unknown: [1] },
      'MALFORMED_REQUEST: "unknown" is no input of the model, and as a parameter of the request it must be',
    ],
    [{ text_input: 'a', parameters: { text_input: 'b' } }, 'MALFORMED_REQUEST: input "text_input" is given twice'],
    [{ priority: -1 }, 'MALFORMED_REQUEST: parameter "priority"'],
  ])('is refused with what was expected and what came: %j', (body, message) => {
    expect(reasonOf(body)).toContain(message);
  });

  it('never throws anything but a refusal, whatever the bytes or the JSON', () => {
    const inputs = fc.dictionary(
      fc.oneof(fc.constantFrom(...INPUTS.map(({ name }) => name), 'id', 'parameters', '__proto__'), fc.string()),
      fc.jsonValue(),
    );
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      inputs.map((value) => new TextEncoder().encode(JSON.stringify(value))),
    );
    fc.assert(
      fc.property(bodies, fc.boolean(), (body, batched) => {
        try {
          for (const { data, shape } of decodeGenerateBody(body, INPUTS, batched).inputs) {
            expect(data.byteLength).toBeGreaterThanOrEqual(0);
            expect(shape.every((dim) => Number.isInteger(dim) && dim >= 0)).toBe(true);
          }
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ServingError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is the same by way of a pool thread', () => {
    const body = new TextEncoder().encode(JSON.stringify({ id: 'a', text_input: 'b', grid: [1, 2], other: 3 }));
    const detached = structuredClone(decodeGenerate({ body, inputs: INPUTS, batched: false }));
    const here = decodeGenerateBody(body, INPUTS, false);
    const there = attachGenerate(detached);
    expect({ ...there, parameters: { ...there.parameters } }).toEqual({ ...here, parameters: { ...here.parameters } });
  });
});
