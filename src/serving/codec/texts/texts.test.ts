import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelSpec, tensorSpec } from '../../../../test/support/specs.js';
import {
  type InferenceResponse,
  NO_DEADLINE,
  numberToHalf,
  ServingError,
  type TextModel,
  typedView,
} from '../../../core/index.js';
import { teiPredictions, teiRanks } from './tei-answers.js';
import { decodeTextBody, type TextBodyKind } from './text-bodies.js';
import { textRequest } from './text-request.js';
import { vectorBase64, vectorJson } from './vector-text.js';
import { cosine, finished, vectorOf, vectorsOfTokens } from './vectors.js';

const KINDS: readonly TextBodyKind[] = ['openAi', 'embed', 'similarity', 'rerank', 'predict', 'tokenize', 'decode'];
const FIELDS = [
  'input',
  'inputs',
  'model',
  'query',
  'texts',
  'ids',
  'dimensions',
  'encoding_format',
  'truncate',
  'source_sentence',
  'sentences',
  'parameters',
  'prompt_name',
];
const bytes = (text: string) => new TextEncoder().encode(text);

describe('bodies of texts', () => {
  it('that nobody wrote by hand are read or refused, never more', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('', 'a', [], ['a'], [1, 2], [[1], 'b'], -1, 2 ** 40, '\ud800'),
    );
    const body = fc.oneof(
      fc.dictionary(fc.constantFrom(...FIELDS), value).map((fields) => bytes(JSON.stringify(fields))),
      fc.string().map(bytes),
      fc.uint8Array({ maxLength: 40 }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), body, (kind, sent) => {
        try {
          const decoded = decodeTextBody(kind, sent, 4);
          const texts = 'documents' in decoded ? decoded.documents : decoded.texts;
          expect(texts.length).toBeGreaterThan(0);
          if ('texts' in decoded && kind !== 'openAi') expect(texts.length).toBeLessThanOrEqual(4);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(ServingError);
          expect(['MALFORMED_REQUEST', 'MISSING_INPUT', 'SHAPE_MISMATCH']).toContain((thrown as ServingError).reason);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('are the same texts, whichever way they are written', () => {
    const read = (inputs: unknown) => decodeTextBody('embed', bytes(JSON.stringify({ inputs })), 8).texts;
    expect(read('a')).toEqual(['a']);
    expect(read(['a', [3, 4]])).toEqual(['a', { ids: Int32Array.of(3, 4) }]);
    expect(read([3, 4])).toEqual([{ ids: Int32Array.of(3, 4) }]);
  });
});

const TEXT: TextModel = {
  task: 'embed',
  tokenizer: { key: 'k', json: new SharedArrayBuffer(0) },
  ids: 'ids',
  mask: 'mask',
  types: undefined,
  output: 'y',
  pooling: 'mean',
  normalize: true,
  maxTokens: 8,
  autoTruncate: false,
  truncationDirection: 'right',
  prompts: {},
  defaultPrompt: undefined,
};

describe('a text as a request', () => {
  it('has its tokens in the data type of the model, and a mask of ones', () => {
    const spec = modelSpec({ inputs: [tensorSpec('ids', 'INT64', [-1]), tensorSpec('mask', 'INT32', [-1])] });
    const context = { model: 'm', version: undefined, deadlineNs: NO_DEADLINE, receivedNs: 0, nowNs: () => 0 };
    const { inputs, outputs } = textRequest(
      spec,
      TEXT,
      { ids: Int32Array.of(7, 2 ** 31 - 1), types: undefined },
      context,
      { operation: 'embeddings', requestModel: '', inputTokens: 2, encodingFormats: undefined },
    );
    expect(inputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['ids', [1, 2]],
      ['mask', [1, 2]],
    ]);
    expect([...(typedView('INT64', inputs[0]!.data) as BigInt64Array)]).toEqual([7n, 2n ** 31n - 1n]);
    expect([...(typedView('INT32', inputs[1]!.data) as Int32Array)]).toEqual([1, 1]);
    expect(outputs).toEqual([{ name: 'y', classification: 0 }]);
  });
});

function response(values: readonly number[], shape: readonly number[], half = false): InferenceResponse {
  const floats = half ? Uint16Array.from(values, numberToHalf) : Float32Array.from(values);
  // At an odd place, as outputs of a lane may lie.
  const data = new Uint8Array(floats.byteLength + 1).subarray(1);
  data.set(new Uint8Array(floats.buffer));
  return { outputs: [{ name: 'y', dataType: half ? 'FP16' : 'FP32', shape, data }] } as unknown as InferenceResponse;
}

describe('vectors', () => {
  it.each([
    ['mean', [2, 3]],
    ['cls', [1, 2]],
    ['last', [3, 4]],
  ] as const)('are pooled from rows of tokens: %s', (pooling, expected) => {
    for (const half of [false, true])
      expect([...vectorOf(response([1, 2, 3, 4], [1, 2, 2], half), { ...TEXT, pooling }, 2)]).toEqual(expected);
  });

  it('of a model that gives them are taken as they are', () => {
    expect([...vectorOf(response([3, 4], [1, 2]), { ...TEXT, pooling: 'none' }, 9)]).toEqual([3, 4]);
  });

  it('a token are those rows', () => {
    const rows = vectorsOfTokens(response([1, 2, 3, 4], [1, 2, 2]), TEXT, 2);
    expect(rows.map((row) => [...row])).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(() => vectorsOfTokens(response([1, 2], [1, 2]), { ...TEXT, pooling: 'none' }, 2)).toThrow(/vector a text/);
  });

  it('of an output that has not a row a token are refused', () => {
    expect(() => vectorOf(response([1, 2, 3, 4], [1, 4, 1]), TEXT, 2)).toThrow(
      /expected 2 rows .* found shape \[1,4,1\]/,
    );
    expect(() => vectorOf(response([], [1, 0, 4]), TEXT, 2)).toThrow(/found shape/);
  });

  it('are cut, then of the length 1; zero stays zero, and what is not finite is an error', () => {
    expect([...finished(Float32Array.of(3, 4, 9), 2, true)].map((value) => value.toFixed(4))).toEqual([
      '0.6000',
      '0.8000',
    ]);
    expect([...finished(new Float32Array(3), undefined, true)]).toEqual([0, 0, 0]);
    expect(() => finished(Float32Array.of(1, Number.NaN), undefined, false)).toThrow(/not finite/);
    expect(() => finished(Float32Array.of(1), 2, true)).toThrow(/'dimensions': expected at most 1/);
  });

  it('are compared by their angle', () => {
    const [a, b] = [Float32Array.of(2, 0), Float32Array.of(0, 3)];
    expect([
      cosine(a, a),
      cosine(a, b),
      cosine(
        a,
        a.map((value) => -value),
      ),
      cosine(a, new Float32Array(2)),
    ]).toEqual([1, 0, -1, 0]);
  });

  it('read back from their text, and from base64, to the same floats', () => {
    fc.assert(
      fc.property(
        fc.float32Array({ minLength: 1, maxLength: 5000, noNaN: true, noDefaultInfinity: true }),
        (vector) => {
          expect(Float32Array.from(JSON.parse(vectorJson(vector)))).toEqual(vector);
          const coded = Buffer.from(vectorBase64(vector), 'base64');
          expect(new Float32Array(new Uint8Array(coded).buffer)).toEqual(vector);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('scores', () => {
  const rerank = { texts: ['a', 'b'], rawScores: true, returnText: false } as never;

  it('of texts stand the best first; of more than one number they are refused', () => {
    expect(teiRanks(rerank, [Float32Array.of(-1), Float32Array.of(2)])).toBe(
      '[{"index":1,"score":2},{"index":0,"score":-1}]',
    );
    expect(() => teiRanks(rerank, [Float32Array.of(1, 2)])).toThrow(/one score/);
    expect(() => teiRanks(rerank, [Float32Array.of(Number.NaN)])).toThrow(/not finite/);
  });

  it('of classes make 1 together, by their names where there are some', () => {
    const asked = { texts: ['a'], alone: true, rawScores: false } as never;
    const scores = JSON.parse(teiPredictions(asked, [Float32Array.of(0, Math.log(3))], ['no', 'yes']));
    expect(scores.map(({ label }: { label: string }) => label)).toEqual(['yes', 'no']);
    expect(scores[0].score).toBeCloseTo(0.75, 6);
    expect(JSON.parse(teiPredictions(asked, [Float32Array.of(1000, -1000)], undefined))[0]).toEqual({
      label: 'LABEL_0',
      score: 1,
    });
  });
});
