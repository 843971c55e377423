import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { gatewayProcess } from '../support/gateway-process.js';
import type { ModelFolder } from '../support/model-folder.js';
import { repositoryOf } from '../support/running-gateway.js';

const PORTS = ['--http-port', '0', '--grpc-port', '0', '--metrics-port', '0'];
const homes: string[] = [];
const repositories: ModelFolder[] = [];

afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true, force: true });
  for (const repository of repositories.splice(0)) repository.remove();
});

/** A gateway over one small model, once it serves. */
async function gateway(environment: Readonly<Record<string, string>> = {}) {
  const models = repositoryOf({ mlp: 'mlp' });
  repositories.push(models);
  const child = gatewayProcess(models.path, PORTS, [], { ...process.env, ...environment });
  let out = '';
  while (!/READY/.test(out)) out += String((await once(child.stdout, 'data'))[0]);
  return child;
}

describe('the process', () => {
  it('ends on SIGTERM with exit code 0 where nobody reads its output any more', async () => {
    const child = await gateway();
    child.stdout.destroy();
    child.stderr.destroy();
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  it('of a test ends with whoever started it', async () => {
    const child = await gateway();
    const ended = once(child, 'exit');
    // What the kernel does to the channel when its other end dies.
    child.disconnect();
    expect(await ended).toEqual([null, 'SIGKILL']);
  });

  it('leaves nothing of ONNX Runtime in the home folder: no event is collected', async () => {
    const home = mkdtempSync(join(tmpdir(), 'penstock-home-'));
    homes.push(home);
    const { ORT_DISABLE_TELEMETRY, XDG_CACHE_HOME, ...inherited } = process.env as Record<string, string>;
    const child = await gateway({
      ...inherited,
      HOME: home,
      ORT_DISABLE_TELEMETRY: '',
      XDG_CACHE_HOME: join(home, 'cache'),
    });
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(existsSync(join(home, '.cache', 'Microsoft'))).toBe(false);
    expect(existsSync(join(home, 'cache', 'Microsoft'))).toBe(false);
  });
});
