import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../config/index.js';
import { imageRecipesOf } from '../models/completion/image-recipes.js';
import { picturesToRows } from './picture-rows.js';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'src/serving/transport/MIGRATING.md'), 'utf8');
const { photo, recipes } = JSON.parse(readFileSync(join(ROOT, 'test/fixtures/images/recipes.json'), 'utf8')) as {
  photo: string;
  /** What the functions of the page make of the photo: every `step`th value, and the sum of all. */
  recipes: Record<string, { shape: number[]; step: number; sum: number; values: number[] }>;
};

/** The configs of the page, by the name of the function before each. */
const configs = [...page.matchAll(/^```python recipe=(\w+)\n.*?^```\n\n```yaml\n(.*?)^```/gms)].map(
  ([, name, yaml]) => ({
    name: name as string,
    yaml: yaml as string,
  }),
);

/** By how much values may differ: rounding; where OpenCV resizes, a step of 255. */
const TOLERANCES: Readonly<Record<string, number>> = { resnet: 2e-6, clip: 2e-6, keras: 1e-4, yolo: 1 / 255 + 1e-6 };

describe('the configs of MIGRATING.md', () => {
  it('are as many as the functions of services that they stand for', () => {
    expect(configs.map(({ name }) => name)).toEqual(Object.keys(recipes));
    expect(configs.map(({ name }) => name).sort()).toEqual(Object.keys(TOLERANCES).sort());
  });

  it.each(configs)('make of a photo what the function of the service makes: $name', async ({ name, yaml }) => {
    const { config } = parseModelConfig(yaml, 'yaml', 'config.yaml');
    const inputs = config.input as never;
    const recipe = [
      ...imageRecipesOf(config, { maxBatchSize: 8, inputs, outputs: [], dynamicBatching: undefined }).values(),
    ][0];
    const body = Buffer.from(photo, 'base64');
    const places = [{ start: 0, bytes: body.length }];
    const made = await picturesToRows({ input: 'x', dataType: 'FP32', recipe: recipe ?? expect.fail(), body, places });
    const expected = recipes[name] ?? expect.fail();
    expect(made.shape).toEqual(expected.shape);
    const all = new Float32Array(made.data.buffer, made.data.byteOffset, made.data.byteLength / 4);
    const most = Math.max(...expected.values.map((value, i) => Math.abs(value - (all[i * expected.step] as number))));
    expect(most).toBeLessThanOrEqual(TOLERANCES[name] as number);
    const sum = all.reduce((total, value) => total + value, 0);
    // Steps that are rounded the other way are as often up as down.
    expect(Math.abs(sum - expected.sum) / all.length).toBeLessThan(name === 'yolo' ? 0.1 / 255 : 2e-6);
  });
});
