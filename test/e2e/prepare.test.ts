import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const PREPARE = fileURLToPath(new URL('../../deploy/setup/prepare.mjs', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-prepare-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('the first step of npm start builds beside linked packages, and leaves them alone', () => {
  const [checkout, shared] = [join(folder, 'checkout'), join(folder, 'shared')];
  for (const path of ['deploy/setup', 'src', 'protos']) mkdirSync(join(checkout, path), { recursive: true });
  mkdirSync(shared);
  writeFileSync(join(shared, 'installed'), '');
  symlinkSync(shared, join(checkout, 'node_modules'));
  copyFileSync(PREPARE, join(checkout, 'deploy/setup/prepare.mjs'));
  writeFileSync(join(checkout, 'package.json'), '{ "name": "x", "scripts": { "build": "echo built > built" } }');
  for (const file of ['package-lock.json', '.npmrc', 'tsconfig.json']) writeFileSync(join(checkout, file), '');
  const run = spawnSync(process.execPath, [join(checkout, 'deploy/setup/prepare.mjs')], { encoding: 'utf8' });
  expect(run.stderr).not.toMatch(/installing/);
  expect([run.status, existsSync(join(checkout, 'built')), existsSync(join(shared, 'installed'))]).toEqual([
    0,
    true,
    true,
  ]);
});
