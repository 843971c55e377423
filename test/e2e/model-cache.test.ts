import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-e2e-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const BODY = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 64], data: Array.from({ length: 64 }, (_, i) => i) }],
};

/** Starts a gateway, asks it once, and stops it: the answer, and the compiled models that it left. */
async function answerOf(flags: readonly string[]) {
  const gateway = await RunningGateway.start(repositoryOf({ mlp: 'mlp' }), flags);
  const { outputs } = (await gateway.post('/v2/models/mlp/infer', BODY)).json();
  expect(await gateway.stop()).toBe(0);
  const entries = readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name));
  return { outputs, entries, log: gateway.log };
}

it('a gateway keeps compiled models where it is told to, and its successor answers the same from them', async () => {
  const cache = ['--model-cache-dir', folder, '--model-cache-min-model-bytes', '0'];
  const without = await answerOf([...cache, '--model-cache=false']);
  expect([without.outputs.length, without.entries]).toEqual([1, []]);
  const first = await answerOf(cache);
  expect([first.outputs, first.entries.length]).toEqual([without.outputs, 1]);
  const made = statSync(join(folder, first.entries[0]!, 'model.onnx')).ino;
  const second = await answerOf(cache);
  expect([second.outputs, second.entries]).toEqual([without.outputs, first.entries]);
  expect(statSync(join(folder, second.entries[0]!, 'model.onnx')).ino).toBe(made);
  expect(first.log + second.log).not.toMatch(/model cache/);
});
