import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CliIo } from './io.js';
import { prune } from './prune.js';

const TARGET = { os: 'linux', cpu: 'x64', abi: '137' };
const FILES = [
  'onnxruntime-node/dist/index.js',
  ...['linux/x64', 'linux/arm64', 'darwin/arm64', 'win32/x64'].map(
    (at) => `onnxruntime-node/bin/napi-v6/${at}/library`,
  ),
  'uWebSockets.js/uws.js',
  'uWebSockets.js/ESM_wrapper.mjs',
  ...['linux_x64_137', 'linux_x64_115', 'linux_arm64_137', 'darwin_arm64_137'].map(
    (of) => `uWebSockets.js/uws_${of}.node`,
  ),
];
const KEPT = FILES.filter((file) => !/arm64|win32|115/.test(file));

let root: string;
let from: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'penstock-prune-')));
  from = join(root, 'node_modules/penstock/dist/cli');
  mkdirSync(from, { recursive: true });
  for (const file of FILES) write(file);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(file: string, bytes = 1000): void {
  const path = join(root, 'node_modules', file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.alloc(bytes));
}

function run(options: { yes?: boolean; json?: boolean; target?: typeof TARGET } = {}): string {
  let out = '';
  const io = { stdout: { write: (text: string) => (out += text) } } as unknown as CliIo;
  expect(prune({ yes: false, json: false, from, target: TARGET, ...options }, io)).toBe(0);
  return out;
}

const left = () => FILES.filter((file) => existsSync(join(root, 'node_modules', file)));

describe('penstock prune', () => {
  it('shows what it would remove, and removes nothing, unless it is told to', () => {
    const out = run();
    expect(out).toMatch(/onnxruntime-node +bin\/napi-v6\/win32 +0\.0\n/);
    expect(out).toMatch(/uWebSockets\.js keeps uws_linux_x64_137\.node/);
    expect(out).toMatch(/--yes removes them\n$/);
    expect(left()).toEqual(FILES);
  });

  it('removes the binaries of other platforms and of other releases of Node, and nothing else', () => {
    run({ yes: true });
    expect(left()).toEqual(KEPT);
    expect(existsSync(join(root, 'node_modules/onnxruntime-node/bin/napi-v6/darwin'))).toBe(false);
  });

  it('finds nothing the second time', () => {
    run({ yes: true });
    expect(run({ yes: true })).toMatch(/nothing to remove\n$/);
    expect(left()).toEqual(KEPT);
  });

  it('tells programs bytes and paths', () => {
    expect(JSON.parse(run({ json: true }))).toMatchObject({
      removed: false,
      bytes: 6000,
      packages: [
        { package: 'onnxruntime-node', kept: 'bin/napi-v6/linux/x64' },
        { package: 'uWebSockets.js', folder: join(root, 'node_modules/uWebSockets.js') },
      ],
    });
  });

  it('removes nothing at all where what this machine needs is not there', () => {
    expect(() => run({ yes: true, target: { ...TARGET, abi: '999' } })).toThrow(/uws_linux_x64_999\.node.*npm ci/);
    expect(() => run({ yes: true, target: { ...TARGET, cpu: 'riscv64' } })).toThrow(/linux\/riscv64/);
    expect(left()).toEqual(FILES);
  });

  it('removes nothing through a link, as the packages of a shared folder are', () => {
    const shared = join(root, 'shared');
    mkdirSync(join(shared, 'checkout/dist'), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(shared, 'checkout/node_modules'));
    from = join(shared, 'checkout/dist');
    expect(() => run({ yes: true })).toThrow(/is a link to .*nothing is removed/);
    expect(left()).toEqual(FILES);
  });

  it('says so where the packages are not installed', () => {
    rmSync(join(root, 'node_modules/uWebSockets.js'), { recursive: true });
    expect(() => run({ yes: true })).toThrow(/uWebSockets\.js is not installed/);
  });

  // The superuser may write anywhere.
  it.skipIf(process.getuid?.() === 0)('removes nothing where one folder cannot be written', () => {
    const locked = join(root, 'node_modules/uWebSockets.js');
    chmodSync(locked, 0o555);
    expect(() => run({ yes: true })).toThrow(/cannot write to .*EACCES.*nothing was removed/);
    chmodSync(locked, 0o755);
    expect(left()).toEqual(FILES);
  });
});
