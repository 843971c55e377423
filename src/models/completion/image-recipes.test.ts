import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../config/index.js';
import type { ServingError } from '../../core/index.js';
import type { CompletedTensors } from './config-parts.js';
import { imageRecipesOf } from './image-recipes.js';
import { plainAnswerOf } from './plain-answer.js';

function tensors(dims: readonly number[], type = 'TYPE_FP32', format?: 'FORMAT_NHWC'): CompletedTensors {
  return {
    maxBatchSize: 8,
    inputs: [{ name: 'image', data_type: type, dims, ...(format === undefined ? {} : { format }) }],
    outputs: [
      { name: 'scores', data_type: 'TYPE_FP32', dims: [10] },
      { name: 'text', data_type: 'TYPE_STRING', dims: [1] },
    ],
    dynamicBatching: undefined,
  };
}

const config = (yaml: string) => parseModelConfig(yaml, 'yaml', 'config.yaml').config;
const recipe = (image: string, given: CompletedTensors) =>
  imageRecipesOf(config(`images: [{ input: image${image === '' ? '' : `, ${image}`} }]`), given).get('image');

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (thrown) {
    return (thrown as ServingError).message;
  }
  return 'none';
}

describe('images of a config', () => {
  it('are completed from the dims of their input', () => {
    expect(recipe('', tensors([3, 224, 200]))).toEqual({
      orientation: 'exif',
      sizing: 'stretch',
      width: 200,
      height: 224,
      shorterSide: 224,
      filter: 'bilinear',
      antialias: true,
      color: 'rgb',
      background: undefined,
      layout: 'chw',
      scale: 1 / 255,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      fill: 0,
      maxPixels: 16_000_000,
      shape: undefined,
    });
    expect(recipe('', tensors([224, 224, 1], 'TYPE_UINT8'))).toMatchObject({ layout: 'hwc', color: 'gray', scale: 1 });
    expect(recipe('', tensors([3, 3, 3], 'TYPE_FP32', 'FORMAT_NHWC'))).toMatchObject({ layout: 'hwc' });
    expect(recipe('', tensors([3, -1, -1]))).toMatchObject({ sizing: 'none', width: undefined, height: undefined });
    expect(recipe('width: 8, height: 8', tensors([64]))).toMatchObject({
      color: 'gray',
      shape: [64],
      sizing: 'stretch',
    });
    expect(recipe('', tensors([28, 20]))).toMatchObject({ color: 'gray', shape: [28, 20], width: 20, height: 28 });
  });

  it("takes torchvision's numbers", () => {
    const given = 'resize: shorter_side, resize_to: 256, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]';
    expect(recipe(given, tensors([3, 224, 224]))).toMatchObject({
      sizing: 'shorter_side',
      shorterSide: 256,
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    });
    expect(recipe('mean: [0.5], std: [0.25]', tensors([3, 4, 4]))).toMatchObject({
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    });
  });

  it('are the same from text format', () => {
    const text = `parameters { key: "penstock.images" value { string_value: '[{"input": "image", "filter": "box"}]' } }`;
    const parsed = parseModelConfig(text, 'pbtxt', 'config.pbtxt').config;
    expect(imageRecipesOf(parsed, tensors([3, 4, 4])).get('image')).toMatchObject({ filter: 'box', width: 4 });
    expect(refusal(() => parseModelConfig(text.replace('box', 'cubic'), 'pbtxt', 'config.pbtxt'))).toContain(
      'images[0].filter',
    );
    expect(refusal(() => parseModelConfig(text.replace('[{', '{'), 'pbtxt', 'config.pbtxt'))).toContain('images');
  });

  it.each([
    ['images[0].input: expected an input of floating point', '', tensors([3, 4, 4], 'TYPE_INT64')],
    ['images[0].layout: expected NCHW or NHWC', '', tensors([5, 4, 6])],
    ['images[0].color: expected 3 channels', 'color: gray', tensors([3, 4, 4])],
    ['images[0].width: expected 4, as the dims', 'width: 5', tensors([3, 4, 4])],
    ['images[0].width: expected a size', 'resize: stretch', tensors([3, -1, -1])],
    ['images[0].width: expected width and height', '', tensors([64])],
    ['images[0].input: expected 64 elements', 'width: 8, height: 9', tensors([64])],
    ['images[0].mean: expected one number, or one for each of the 3 channels', 'mean: [1, 2]', tensors([3, 4, 4])],
    ['images[0].resize_to: only with resize shorter_side', 'resize_to: 9', tensors([3, 4, 4])],
    ['images[0].resize_to: expected at least 4', 'resize: shorter_side, resize_to: 3', tensors([3, 4, 4])],
  ])('are refused: %s', (why, image, given) => {
    expect(refusal(() => recipe(image, given))).toContain(why);
  });

  it('name inputs of the model, each once', () => {
    const two = config('images: [{ input: image }, { input: image }]');
    expect(refusal(() => imageRecipesOf(two, tensors([3, 4, 4])))).toContain("'image' is declared twice");
    expect(refusal(() => imageRecipesOf(config('images: [{ input: imag }]'), tensors([3, 4, 4])))).toContain(
      "did you mean 'image'?",
    );
  });
});

describe('the plain answer of a config', () => {
  const plain = (yaml: string) => plainAnswerOf(config(`plain_answer: { ${yaml} }`), tensors([3, 4, 4]));

  it('has outputs, their highest values, or the only one bare', () => {
    expect(plainAnswerOf(config('{}'), tensors([1]))).toBeUndefined();
    expect(plain('top: { scores: 3 }')).toEqual({ outputs: [], top: { scores: 3 }, bare: false });
    expect(plain('outputs: [text], bare: true')).toEqual({ outputs: ['text'], top: {}, bare: true });
  });

  it.each([
    ["did you mean 'scores'?", 'outputs: [score]'],
    ["'text' is given twice", 'outputs: [text, text]'],
    ["'scores' is not among the outputs of the answer", 'outputs: [text], top: { scores: 1 }'],
    ['expected an output of numbers', 'top: { text: 1 }'],
    ['expected an answer of one output', 'bare: true'],
  ])('is refused: %s', (why, yaml) => {
    expect(refusal(() => plain(yaml))).toContain(why);
  });
});
