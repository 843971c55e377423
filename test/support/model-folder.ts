import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onnxModel } from './onnx-bytes.js';

/** A repository folder for one test. */
export class ModelFolder {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), 'penstock-test-')));

  /** Writes a file below the folder. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** A model with a least ONNX file in each version, and a config.pbtxt where given. */
  model(name: string, versions: readonly number[] = [1], config?: string): this {
    for (const version of versions) this.write(`${name}/${version}/model.onnx`, onnxModel());
    if (config !== undefined) this.write(`${name}/config.pbtxt`, config);
    return this;
  }

  remove(name = '.'): void {
    rmSync(join(this.path, name), { recursive: true, force: true });
  }
}
