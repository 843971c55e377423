import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { addressOf } from './native-memory.js';
import { pageReturner, sharedPages } from './shared-pages.js';

const MIB = 1024 * 1024;

function residentBytes(): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

describe('shared pages', () => {
  it('begin at a page boundary and cost nothing until they are written', () => {
    const before = residentBytes();
    const memory = sharedPages(256 * MIB);
    expect((addressOf(memory.buffer) + memory.byteOffset) % 4096).toBe(0);
    expect(memory.byteLength).toBe(256 * MIB);
    expect(residentBytes() - before).toBeLessThan(32 * MIB);
  });

  it.runIf(process.platform === 'linux')('go back to the system, neighbours untouched', () => {
    const memory = sharedPages(128 * MIB);
    memory.fill(9);
    const full = residentBytes();
    // Not at page boundaries: the pages at both ends belong to others too.
    pageReturner()?.(memory.subarray(MIB + 100, 101 * MIB - 100));
    expect(full - residentBytes()).toBeGreaterThan(90 * MIB);
    expect([MIB + 99, MIB + 100, 101 * MIB - 101, 101 * MIB].map((at) => memory[at])).toEqual([9, 9, 9, 9]);
    expect(memory[50 * MIB]).toBe(0);
  });

  it('have no address where they are not shared', () => {
    expect(() => addressOf(new ArrayBuffer(8))).toThrow('only shared memory');
  });
});
