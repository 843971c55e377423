import { describe, expect, it } from 'vitest';
import type { ModelTypes, TypedTensor } from './model-types.js';
import { typesText } from './types-text.js';

const tensor = (name: string, over: Partial<TypedTensor> = {}): TypedTensor => ({
  name,
  datatype: 'FP32',
  shape: [-1, 4],
  optional: false,
  ...over,
});
const model = (name: string, inputs = [tensor('x')], version = '1'): ModelTypes => ({
  name,
  versions: [{ version, inputs, outputs: [tensor('y', { shape: [] })] }],
});

describe('generated types', () => {
  it('are of the sizes and data types of a model', () => {
    const text = typesText([
      model('m', [tensor('x'), tensor('mask', { datatype: 'BOOL', shape: [-1], optional: true })]),
    ]);
    expect(text).toContain("    /** FP32 [-1, 4] */\n    readonly x: InputTensor<'FP32', readonly [number, 4]>;\n");
    expect(text).toContain("    readonly mask?: InputTensor<'BOOL', readonly [number]>;\n");
    expect(text).toContain("    readonly y: OutputTensor<'FP32', readonly []>;\n");
    expect(text).toContain('export namespace m {\n');
    expect(text).toContain('  readonly m: { readonly inputs: m.Inputs; readonly outputs: m.Outputs };\n');
  });

  it('quote names that are no identifiers, and give each model a namespace of its own', () => {
    const names = ['ppocr-det', 'ppocr.det', 'class', '7b', 'Models', "it's", 'a*/b'];
    const text = typesText([...names.map((name) => model(name)), model('q', [tensor("a'b\\c d")])]);
    for (const space of ['ppocr_det', 'ppocr_det_2', 'class_', '_7b', 'Models_2', 'it_s', 'a__b'])
      expect(text).toContain(`export namespace ${space} {`);
    for (const row of ["'ppocr-det': {", "'ppocr.det': {", ' class: {', "'7b': {", "'it\\'s': {"])
      expect(text).toContain(row);
    expect(text).toContain("readonly 'a\\'b\\\\c d': ");
    expect(text).toContain('Model a*\\/b');
  });

  it('are the same whatever the order of the models', () => {
    const models = ['b', 'a', 'c'].map((name) => model(name));
    expect(typesText(models)).toBe(typesText([...models].reverse()));
  });

  it('are of the highest version, and of each where they differ', () => {
    const one = model('m').versions[0] as ModelTypes['versions'][number];
    const same = typesText([{ name: 'm', versions: [one, { ...one, version: '2' }] }]);
    expect(same).toBe(typesText([{ name: 'm', versions: [one] }]));
    const other = { ...one, version: '3', inputs: [tensor('z', { datatype: 'INT64' })] };
    const text = typesText([{ name: 'm', versions: [one, other] }]);
    expect(text).toContain('its versions differ, these are of version 3');
    expect(text).toMatch(/export namespace m \{\n {2}export type Inputs = \{\n.*\n {4}readonly z: InputTensor<'INT64'/);
    expect(text).toMatch(/export namespace v1 \{\n {4}export type Inputs = \{\n.*\n {6}readonly x: /);
    expect(text).toContain('  export namespace v3 {');
  });
});
