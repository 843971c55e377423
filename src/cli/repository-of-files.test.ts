import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeBackend } from '../../test/support/fake-backend.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { FakeVersionHost } from '../../test/support/fake-version-host.js';
import { ModelFolder } from '../../test/support/model-folder.js';
import { onnxModel } from '../../test/support/onnx-bytes.js';
import { SilentLog } from '../../test/support/silent-log.js';
import { ModelRepository } from '../models/index.js';
import { externalLocations, repositoryOfFiles } from './repository-of-files.js';

let files: ModelFolder;

beforeEach(() => {
  files = new ModelFolder();
});

afterEach(() => files.remove());

describe('a model file outside a repository', () => {
  it('is served as version 1 of the model of its name, from a copy that goes when it is removed', async () => {
    const made = await repositoryOfFiles([files.write('somewhere/net.onnx', onnxModel())]);
    const backend = new FakeBackend();
    const models = new ModelRepository({
      folders: [made.folder],
      controlMode: 'none',
      loadModels: [],
      backends: [backend],
      host: new FakeVersionHost(),
      clock: new FakeClock(),
      log: new SilentLog(),
    });
    await models.start();
    expect(models.index(false)).toEqual([{ name: 'net', version: 1, state: 'READY', reason: '' }]);
    expect(backend.requests[0]).toMatchObject({
      modelPath: join(made.folder, 'net/1/model.onnx'),
      engine: 'native',
      instances: [{ device: 'cpu', count: 1 }],
    });
    await models.drain(0);
    await made.remove();
    expect(existsSync(made.folder)).toBe(false);
  });

  it.each(['.onnx', 'net .onnx', '.hidden.onnx'])('is refused where %j gives no model name', async (name) => {
    await expect(repositoryOfFiles([files.write(name, onnxModel())])).rejects.toThrow(
      /the model name .*rename the file/,
    );
  });

  const entry = (location: string) =>
    Buffer.concat([Buffer.from('\n\x08location\x12', 'latin1'), Buffer.from([location.length]), Buffer.from(location)]);

  it('brings the files of its external data, those in its own folder only', () => {
    const model = Buffer.concat(['weights.bin', '../secret', '/etc/passwd', 'sub/w'].map(entry));
    expect([...externalLocations(model)]).toEqual(['weights.bin', 'sub/w']);
  });
});
