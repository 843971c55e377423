import { createHash } from 'node:crypto';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DigestMemory } from './digest-memory.js';
import { type FileIdentity, isSettled } from './file-digest.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
let root: string;
let file: string;
let memory: DigestMemory;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'penstock-digests-'));
  file = join(root, 'model.onnx');
  memory = new DigestMemory(join(root, 'digests'));
  writeFileSync(file, 'one');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(root, { recursive: true });
});

/** Lets the wall clock be `seconds` after now: what was just written has settled. */
function later(seconds: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 });
}
const remembered = () => readdirSync(join(root, 'digests'));

/** Replaces the digest in the memory by a false one: what is answered from memory shows. */
function falsify(): string {
  const [name] = remembered();
  const path = join(root, 'digests', name!);
  writeFileSync(path, readFileSync(path, 'utf8').replace(sha256('one'), 'f'.repeat(64)));
  return 'f'.repeat(64);
}

describe('the memory of digests', () => {
  it('answers without reading a file that nobody wrote since', async () => {
    later(5);
    expect(await memory.digest(file)).toBe(sha256('one'));
    const answer = falsify();
    expect(await memory.digest(file)).toBe(answer);
    expect(await new DigestMemory(join(root, 'digests')).digest(file)).toBe(answer);
  });

  it('notices a write of the same length whose times were set back', async () => {
    later(5);
    await memory.digest(file);
    const { atime, mtime } = statSync(file);
    writeFileSync(file, 'two');
    utimesSync(file, atime, mtime);
    expect(await memory.digest(file)).toBe(sha256('two'));
  });

  it('notices a file that took the name of another', async () => {
    later(5);
    await memory.digest(file);
    writeFileSync(join(root, 'other'), 'two');
    renameSync(join(root, 'other'), file);
    expect(await memory.digest(file)).toBe(sha256('two'));
  });

  it('remembers nothing of a file that was written just now: the next write could leave the same times', async () => {
    expect(await memory.digest(file)).toBe(sha256('one'));
    expect(() => remembered()).toThrow(/ENOENT/);
    const identity: FileIdentity = { device: '1', inode: '2', bytes: '3', mtimeNs: '0', ctimeNs: '5000000000' };
    expect([6_999, 7_000, 7_001].map((ms) => isSettled(identity, ms))).toEqual([false, false, true]);
  });

  it('reads a file again after 30 days, and where the clock was set back', async () => {
    later(5);
    await memory.digest(file);
    falsify();
    later(31 * 24 * 3600);
    expect(await memory.digest(file)).toBe(sha256('one'));
    falsify();
    later(-10);
    expect(await memory.digest(file)).toBe(sha256('one'));
  });

  it.each(['', '{', 'null', '{"path":1}', '[]'])('reads the file where the memory holds %j', async (text) => {
    later(5);
    await memory.digest(file);
    writeFileSync(join(root, 'digests', remembered()[0]!), text);
    expect(await memory.digest(file)).toBe(sha256('one'));
  });

  it('forgets files that are gone', async () => {
    later(5);
    await memory.digest(file);
    await memory.sweep();
    expect(remembered()).toHaveLength(1);
    rmSync(file);
    await memory.sweep();
    expect(remembered()).toEqual([]);
  });

  it('refuses what is no regular file', async () => {
    await expect(memory.digest(root)).rejects.toThrow(/not a regular file/);
  });
});
