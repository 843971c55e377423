import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../support/gateway-process.js';
import { placeVersion, RunningGateway, repositoryOf } from '../support/running-gateway.js';

let gateway: RunningGateway;
const at = (path: string) => join(gateway.models.path, path);
const penstock = (...words: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...words], { encoding: 'utf8' });
  return { status, stdout, stderr };
};

beforeAll(async () => {
  const models = repositoryOf({ steady: 'identity_fixed' });
  const key = join(models.path, '.release.key');
  expect(penstock('sign', join(models.path, 'steady/1'), '--new-key', key)).toMatchObject({
    status: 0,
    stdout: 'steady version 1: 1 files signed (SHA256SUMS.minisig)\n',
  });
  const flags = [
    '--model-control-mode=explicit',
    '--load-model=steady',
    '--require-signature',
    '--public-key',
    `${key}.pub`,
  ];
  gateway = await RunningGateway.start(models, flags);
}, 60_000);
afterAll(async () => {
  expect(await gateway?.stop()).toBe(0);
});

describe('where signatures are asked for', () => {
  const load = async () => (await gateway.post('/v2/repository/models/steady/load')).json();
  const ready = async (version: number) => (await gateway.call(`/v2/models/steady/versions/${version}/ready`)).status;

  it('a version serves whose files are those that were signed, and no other', async () => {
    expect(await ready(1)).toBe(200);
    placeVersion(gateway.models, 'steady', 2, 'identity_fixed');
    expect((await load()).error).toMatch(
      /version 2: refused by its gates: it is not signed, and this server asks for it/,
    );
    expect(await ready(1)).toBe(200);
    expect(penstock('sign', at('steady/2'), '--key', at('.release.key')).status).toBe(0);
    expect(penstock('verify', at('steady/2'), '--public-key', at('.release.key.pub'))).toMatchObject({ status: 0 });
    gateway.models.write('steady/2/more.bin', 'not signed');
    expect((await load()).error).toMatch(/its signature does not count: more\.bin is not in SHA256SUMS/);
    expect(penstock('verify', at('steady/2'), '--public-key', at('.release.key.pub'))).toMatchObject({
      status: 1,
      stdout: 'steady version 2: its signature does not count: more.bin is not in SHA256SUMS\n',
    });
    gateway.models.remove('steady/2/more.bin');
    placeVersion(gateway.models, 'steady', 2, 'identity_fp32');
    expect((await load()).error).toMatch(/its signature does not count: model\.onnx was changed/);
    expect(await ready(1)).toBe(200);
    placeVersion(gateway.models, 'steady', 2, 'identity_fixed');
    expect(await load()).toEqual({});
    expect(await ready(2)).toBe(200);
  }, 90_000);

  it('a signature of another version, or of another key, does not count', async () => {
    placeVersion(gateway.models, 'steady', 3, 'identity_fixed');
    penstock('sign', at('steady/3'), '--key', at('.release.key'));
    placeVersion(gateway.models, 'steady', 4, 'identity_fixed');
    const copied = spawnSync('cp', [at('steady/3/SHA256SUMS'), at('steady/3/SHA256SUMS.minisig'), at('steady/4')]);
    expect(copied.status).toBe(0);
    expect((await load()).error).toMatch(/version 4: .* its signature does not count: it is of 'steady\/3'/);
    penstock('sign', at('steady/4'), '--new-key', at('.other.key'));
    expect((await load()).error).toMatch(/its signature does not count: key [0-9A-F]{16} is not trusted/);
  }, 90_000);
});
