import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRequest } from '../../../../../test/support/onnx-fixtures.js';
import { SilentLog } from '../../../../../test/support/silent-log.js';
import { loadOrtLibrary } from '../library.js';
import { readSessionSettings } from '../session-settings.js';
import { KeptCosts } from './kept-costs.js';
import { ModelCache } from './model-cache.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-kept-costs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const CPU = [{ device: 'cpu', deviceId: 0 }];

function keptBy(model: string, parameters: Record<string, string> = {}, placements = CPU): KeptCosts {
  const log = new SilentLog();
  return new KeptCosts({
    cache: new ModelCache({ folder, maxBytes: 2 ** 30, minModelBytes: 0, log }),
    library: loadOrtLibrary(),
    request: openRequest(model, { externalFiles: [] }),
    settings: readSessionSettings(parameters, undefined),
    cudaOptions: {},
    placements,
    log,
  });
}

const files = () => readdirSync(join(folder, 'costs'));

describe('kept costs', () => {
  it('are there for the same model, engine, threads and devices only', async () => {
    expect(await keptBy('mlp').read()).toBeUndefined();
    await keptBy('mlp').write('what was learned');
    expect(await keptBy('mlp').read()).toBe('what was learned');
    expect(await keptBy('add_two').read()).toBeUndefined();
    expect(await keptBy('mlp', { intra_op_thread_count: '2' }).read()).toBeUndefined();
    expect(await keptBy('mlp', {}, [...CPU, ...CPU]).read()).toBeUndefined();
    expect(await keptBy('mlp', {}, [{ device: 'cuda', deviceId: 0 }]).read()).toBeUndefined();
  });

  it('are one whole text, whoever writes at once', async () => {
    const texts = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(10_000));
    await Promise.all(texts.map((text) => keptBy('mlp').write(text)));
    expect(texts).toContain(await keptBy('mlp').read());
    expect(files()).toHaveLength(1);
    expect(statSync(join(folder, 'costs', files()[0] as string)).mode & 0o777).toBe(0o600);
  });

  it('are forgotten when nobody used them for three months', async () => {
    await keptBy('mlp').write('old');
    const old = new Date(Date.now() - 91 * 24 * 3600 * 1000);
    utimesSync(join(folder, 'costs', files()[0] as string), old, old);
    await keptBy('add_two').write('new');
    expect([await keptBy('mlp').read(), await keptBy('add_two').read()]).toEqual([undefined, 'new']);
  });

  it('are left where they are by the folder of compiled models, and cannot be put anywhere by a file in the way', async () => {
    writeFileSync(join(folder, 'costs'), '');
    await keptBy('mlp').write('lost');
    expect(await keptBy('mlp').read()).toBeUndefined();
  });
});
