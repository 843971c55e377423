import { spawn } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { UWS_BINARIES } from './binaries.js';
import { relaxGlibcNeed } from './glibc-floor.js';
import { binaryName, checkBinary, loadUws, needsRelaxing, type Platform } from './load-uws.js';
import { placeInPrivateCache } from './private-cache.js';

const PACKAGE = dirname(createRequire(import.meta.url).resolve('uWebSockets.js'));
const LINUX: Platform = { os: 'linux', cpu: 'x64', abi: '115', glibc: '2.36' };

describe('loading uWebSockets.js', () => {
  it('gives a library that serves, on this machine', () => {
    const uws = loadUws();
    expect(uws.App).toBeTypeOf('function');
    expect(uws.LIBUS_LISTEN_EXCLUSIVE_PORT).toBe(1);
    expect(loadUws()).toBe(uws);
  });

  it.each(Object.keys(UWS_BINARIES))('pins the hash of the installed %s', (name) => {
    expect(() => checkBinary(name, readFileSync(join(PACKAGE, name)))).not.toThrow();
  });

  it('refuses a binary that was altered', () => {
    const content = readFileSync(join(PACKAGE, 'uws_linux_x64_115.node'));
    content[content.length >> 1]! ^= 1;
    expect(() => checkBinary('uws_linux_x64_115.node', content)).toThrow(/sha256 .* expected 5b126ee0/);
  });

  it.each<[string, Platform]>([
    ['musl', { ...LINUX, glibc: undefined }],
    ['an old glibc', { ...LINUX, glibc: '2.31' }],
    ['Windows', { os: 'win32', cpu: 'x64', abi: '115', glibc: undefined }],
    ['macOS on Intel', { os: 'darwin', cpu: 'x64', abi: '115', glibc: undefined }],
    ['a Node without a binary', { ...LINUX, abi: '131' }],
    ['another processor', { ...LINUX, cpu: 'riscv64' }],
  ])('refuses %s and says what is supported', (_, platform) => {
    expect(() => binaryName(platform)).toThrowError(
      expect.objectContaining({
        reason: 'UNSUPPORTED',
        message: expect.stringMatching(/Linux with glibc 2\.36 or newer .*Node 20, 22, 24/),
      }),
    );
  });

  it('relaxes the binary only where the C library is older than it asks for', () => {
    expect(needsRelaxing(LINUX)).toBe(true);
    expect(needsRelaxing({ ...LINUX, glibc: '2.38' })).toBe(false);
    expect(needsRelaxing({ ...LINUX, glibc: '2.41' })).toBe(false);
    expect(needsRelaxing({ os: 'darwin', cpu: 'arm64', abi: '115', glibc: undefined })).toBe(false);
  });
});

describe('relaxing the need of glibc', () => {
  it.each(Object.keys(UWS_BINARIES).filter((name) => name.includes('linux')))('changes a few bytes of %s', (name) => {
    const before = readFileSync(join(PACKAGE, name));
    const after = relaxGlibcNeed(before);
    let changed = 0;
    for (let i = 0; i < before.length; i++) if (before[i] !== after[i]) changed++;
    expect(after.length).toBe(before.length);
    // Two or three names (up to 2 bytes each), as many version indices, one flag.
    expect(changed).toBeGreaterThanOrEqual(5);
    expect(changed).toBeLessThanOrEqual(13);
  });

  it('refuses what is no ELF library, and leaves one that is relaxed already as it is', () => {
    expect(() => relaxGlibcNeed(Buffer.alloc(128))).toThrow(/ELF/);
    const relaxed = relaxGlibcNeed(readFileSync(join(PACKAGE, 'uws_linux_x64_115.node')));
    expect(relaxGlibcNeed(relaxed).equals(relaxed)).toBe(true);
  });
});

describe('the private cache', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'penstock-test-'));
    vi.stubEnv('XDG_CACHE_HOME', folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  it('writes a file once and leaves no temporary ones', () => {
    const content = Buffer.from('library');
    const path = placeInPrivateCache('a.node', content);
    expect(path).toBe(join(folder, 'penstock', 'a.node'));
    const { ino } = statSync(path);
    expect(statSync(placeInPrivateCache('a.node', content)).ino).toBe(ino);
    expect(readdirSync(join(folder, 'penstock'))).toEqual(['a.node']);
    expect(statSync(join(folder, 'penstock')).mode & 0o077).toBe(0);
  });

  it('replaces a file that holds something else, and a link', () => {
    mkdirSync(join(folder, 'penstock'), { mode: 0o700 });
    const path = join(folder, 'penstock', 'a.node');
    writeFileSync(path, 'altered');
    expect(readFileSync(placeInPrivateCache('a.node', Buffer.from('library')), 'utf8')).toBe('library');
    rmSync(path);
    const elsewhere = join(folder, 'elsewhere');
    writeFileSync(elsewhere, 'library');
    symlinkSync(elsewhere, path);
    placeInPrivateCache('a.node', Buffer.from('library'));
    expect(readdirSync(join(folder, 'penstock'), { withFileTypes: true })[0]?.isFile()).toBe(true);
  });

  it('does not use a folder that others can write', () => {
    mkdirSync(join(folder, 'penstock'));
    chmodSync(join(folder, 'penstock'), 0o777);
    const path = placeInPrivateCache('test-others.node', Buffer.from('library'));
    expect(dirname(path)).not.toBe(join(folder, 'penstock'));
    rmSync(path);
  });

  it('serves many processes and threads that start at once with an empty cache', async () => {
    // The compiled loader, since threads and fresh processes do not read TypeScript.
    const loader = new URL('../../../../dist/serving/transport/uws/load-uws.js', import.meta.url).href;
    const script = `
      import { Worker, isMainThread } from 'node:worker_threads';
      const { loadUws } = await import(${JSON.stringify(loader)});
      const load = () => { const app = loadUws().App(); app.get('/', (r) => r.end('x')); app.close(); };
      const inThread = () => new Promise((resolve, reject) => {
        const worker = new Worker('import(' + JSON.stringify(${JSON.stringify(loader)}) + ').then(({ loadUws }) => loadUws().App().close())', { eval: true });
        worker.on('error', reject).on('exit', (code) => (code === 0 ? resolve() : reject(new Error('exit ' + code))));
      });
      await Promise.all([inThread(), inThread()]);
      load();
      console.log('loaded');`;
    const runs = Array.from({ length: 4 }, () => run(script, { ...process.env, XDG_CACHE_HOME: folder }));
    expect(await Promise.all(runs)).toEqual(Array.from({ length: 4 }, () => ({ code: 0, output: 'loaded\n' })));
  });
});

function run(script: string, env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { env });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('close', (code) => resolve({ code, output }));
  });
}
