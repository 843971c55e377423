import { describe, expect, it } from 'vitest';
import { refusal } from '../../../../test/support/refusal.js';
import { fp32, modelSpec, tensorSpec } from '../../../../test/support/specs.js';
import type { InferenceResponse } from '../../../core/index.js';
import { modelMetadata } from './model-metadata.js';
import { ownNames, signedModel, signedResponse } from './signed-model.js';

const SPEC = modelSpec({
  inputs: [tensorSpec('x', 'FP32', [2]), tensorSpec('mask', 'FP32', [2], { optional: true })],
  outputs: [tensorSpec('p', 'FP32', [2], { labels: ['no', 'yes'] }), tensorSpec('v', 'FP32', [1])],
  signatures: [
    { name: 'by_class', method: 'classify', inputs: { image: 'x' }, outputs: { scores: 'p' } },
    { name: 'both', method: 'predict', inputs: { image: 'x', seen: 'mask' }, outputs: { b: 'v', a: 'p' } },
  ],
});
const filter = (...names: string[]) => names.map((name) => ({ name, classification: 0 }));
describe('a signature of a model', () => {
  it('shows inputs and outputs by its names, and hands them on by those of the model', () => {
    const model = signedModel(SPEC, 'both', 'predict');
    expect(model.spec.inputs.map(({ name, dims }) => [name, dims])).toEqual([
      ['image', [2]],
      ['seen', [2]],
    ]);
    const inputs = [fp32('image', [1, 2], [1, 2])];
    expect(ownNames(model, { inputs, outputs: [] })).toEqual({
      inputs: [{ ...inputs[0], name: 'x' }],
      outputs: filter('v', 'p'),
    });
    expect(ownNames(model, { inputs, outputs: filter('a') }).outputs).toEqual(filter('p'));
    const answer = { outputs: [fp32('p', [1, 2], [1, 2])] } as unknown as InferenceResponse;
    expect(signedResponse(model, answer).outputs.map(({ name }) => name)).toEqual(['a']);
    expect(signedModel(SPEC, 'by_class', 'classify').spec.outputs).toMatchObject([
      { name: 'scores', labels: ['no', 'yes'] },
    ]);
  });

  it('is all of the model where none is declared by the name serving_default', () => {
    for (const name of ['', 'serving_default']) {
      const model = signedModel(SPEC, name, 'regress');
      expect([model.spec, model.signature]).toEqual([SPEC, 'serving_default']);
      const asked = { inputs: [], outputs: [] };
      expect(ownNames(model, asked)).toEqual(asked);
    }
    const own = { name: 'serving_default', method: 'predict', inputs: { i: 'x' }, outputs: { o: 'v' } } as const;
    expect(signedModel({ ...SPEC, signatures: [own] }, '', 'predict').spec.inputs).toMatchObject([{ name: 'i' }]);
  });

  it('refuses what it has not, in the words and by the codes of TensorFlow Serving', () => {
    expect(refusal(() => signedModel(SPEC, 'no', 'predict'))).toBe(
      'FAILED_PRECONDITION: Serving signature key "no" not found.',
    );
    expect(refusal(() => signedModel(SPEC, 'no', 'regress'))).toBe(
      'MALFORMED_REQUEST: No signature was found with the name: "no"',
    );
    expect(refusal(() => signedModel(SPEC, 'by_class', 'regress'))).toBe(
      'MALFORMED_REQUEST: Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/classify',
    );
    expect(refusal(() => signedModel(SPEC, 'by_class', 'predict'))).toBe('none');
    const model = signedModel(SPEC, 'both', 'predict');
    const image = fp32('image', [1, 2], [1, 2]);
    const asked = (inputs: (typeof image)[], ...outputs: string[]) =>
      refusal(() => ownNames(model, { inputs, outputs: filter(...outputs) }));
    expect(asked([])).toBe("MISSING_INPUT: signature 'both' needs an input 'image', the request has none");
    expect(asked([image, fp32('x', [1, 2], [1, 2])])).toMatch(/^UNKNOWN_INPUT: input 'x' is not in signature 'both'/);
    expect(asked([image], 'p')).toBe("UNKNOWN_OUTPUT: output 'p' is not in signature 'both', expected one of b, a");
  });

  it('is told with its method and the names of both sides', () => {
    const { signature_def } = modelMetadata(SPEC).metadata.signature_def as { signature_def: Record<string, unknown> };
    expect(Object.keys(signature_def)).toEqual(['serving_default', 'by_class', 'both']);
    expect(signature_def.by_class).toMatchObject({
      inputs: { image: { name: 'x', dtype: 'DT_FLOAT' } },
      outputs: { scores: { name: 'p' } },
      method_name: 'tensorflow/serving/classify',
    });
  });
});
