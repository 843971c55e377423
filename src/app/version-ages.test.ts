import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { ModelFolder } from '../../test/support/model-folder.js';
import { VersionAges } from './version-ages.js';

const folder = new ModelFolder();
afterEach(() => folder.remove());

it('a version is as old as its newest file', async () => {
  const write = (file: string, seconds: number) => {
    folder.write(file, 'x');
    utimesSync(join(folder.path, file), seconds, seconds);
  };
  write('m/1/model.onnx', 1000);
  write('m/1/data/weights.bin', 3000);
  write('m/2/model.onnx', 9000);
  write('single.onnx', 5000);
  const ages = new VersionAges([join(folder.path, 'nowhere'), folder.path, join(folder.path, 'single.onnx')]);
  const looked = async (model: string, version: number) => {
    await ages.look({ model, version });
    return ages.writtenMs({ model, version });
  };
  // Folders change with what is put beside.
  utimesSync(join(folder.path, 'm/1/data'), 9000, 9000);
  expect(await looked('m', 1)).toBe(3_000_000);
  expect(await looked('single', 1)).toBe(5_000_000);
  expect(await looked('other', 1)).toBeUndefined();
  ages.forget({ model: 'm', version: 1 });
  expect(ages.writtenMs({ model: 'm', version: 1 })).toBeUndefined();
});
