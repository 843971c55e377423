import { describe, expect, it } from 'vitest';
import { fixturePath, specOf } from '../../../../test/support/onnx-fixtures.js';
import { loadOrtLibrary } from './library.js';
import { createSession, releaseSession } from './session.js';
import { readSessionSettings } from './session-settings.js';
import { readShapeRules, ShapeRule } from './shape-rule.js';
import { readSignature } from './signature.js';

/** The shapes of the outputs of a fixture in a run over inputs of these shapes; undefined: its file does not tell. */
async function told(name: string, maxBatchSize: number, shapes: readonly (readonly number[])[]) {
  const session = await createSession({
    library: loadOrtLibrary(),
    modelPath: fixturePath(name),
    onGpu: false,
    settings: readSessionSettings({}, undefined),
    config: [],
    appendProviders: () => {},
  });
  try {
    const { library, address } = session;
    const spec = specOf(name, readSignature(library, address), maxBatchSize);
    const rows = maxBatchSize > 0 ? (shapes[0]?.[0] as number) : 1;
    return readShapeRules(library, address, spec).map((rule) => {
      if (rule === undefined) return undefined;
      const shape = [7, 7, 7, 7, 7];
      rule.write(
        shape,
        rows,
        shapes.map((shape) => ({ shape })),
      );
      return shape;
    });
  } finally {
    await releaseSession(session);
  }
}

describe('the shape of an output', () => {
  it.each([
    ['identity_fp32', 8, [[3, 5]], [[3, 5]]],
    ['identity_fp32', 0, [[3, 5]], [[3, 5]]],
    ['identity_fixed', 8, [[3, 4]], [[3, 4]]],
    ['mlp', 4, [[2, 64]], [[2, 10]]],
    ['identity_unnamed', 8, [[3, 5]], [undefined]],
    ['identity_bytes', 8, [[3, 5]], [undefined]],
    ['non_zero', 0, [[3]], [undefined]],
  ])('of %s, at most %i rows, over %j is %j', async (name, maxBatchSize, shapes, expected) => {
    expect(await told(name, maxBatchSize, shapes)).toEqual(expected);
  });

  it('follows each axis that it is told to', () => {
    const shape: number[] = [];
    const rule = new ShapeRule(['rows', { input: 1, axis: 2 }, 384, { input: 0, axis: 1 }]);
    rule.write(shape, 6, [{ shape: [6, 10] }, { shape: [6, 11, 12] }]);
    expect(shape).toEqual([6, 12, 384, 10]);
  });
});
