import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WALL_CLOCK } from '../../../test/support/wall-clock.js';
import type { Clock } from '../../core/index.js';
import { AccessWriter } from './access-writer.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-access-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Seconds that a test lets pass. */
function clockOf(): { clock: Clock; passSeconds(seconds: number): void } {
  let passedNs = 0;
  return {
    clock: { ...WALL_CLOCK, nowNs: () => WALL_CLOCK.nowNs() + passedNs },
    passSeconds: (seconds) => {
      passedNs += seconds * 1e9;
    },
  };
}

const ignoring = { dropped: () => {}, failed: () => {} };

describe('the file of the access log', () => {
  it('is appended to', async () => {
    const destination = join(folder, 'access.log');
    for (const text of ['a\n', 'b\n']) {
      const writer = new AccessWriter({ destination, clock: WALL_CLOCK, ...ignoring });
      writer.write(text, 1);
      await writer.close();
      expect(writer.written).toBe(1);
    }
    expect(readFileSync(destination, 'utf8')).toBe('a\nb\n');
  });

  it.each(['moved', 'removed'])('is made anew where it was %s', async (how) => {
    const destination = join(folder, 'access.log');
    const { clock, passSeconds } = clockOf();
    const writer = new AccessWriter({ destination, clock, ...ignoring });
    writer.write('a\n', 1);
    await writer.close();
    if (how === 'moved') renameSync(destination, `${destination}.1`);
    else rmSync(destination);
    passSeconds(2);
    writer.write('b\n', 1);
    await writer.close();
    expect(readFileSync(destination, 'utf8')).toBe('b\n');
    if (how === 'moved') expect(readFileSync(`${destination}.1`, 'utf8')).toBe('a\n');
  });

  it('counts what a full destination does not take', async () => {
    let dropped = 0;
    const options = { destination: '/dev/full', clock: WALL_CLOCK, failed: () => {} };
    const writer = new AccessWriter({
      ...options,
      dropped: (lines) => {
        dropped += lines;
      },
    });
    const text = `${'x'.repeat(1023)}\n`.repeat(1024);
    for (let i = 0; i < 10; i++) writer.write(text, 1024);
    await writer.close();
    expect(dropped).toBeGreaterThan(0);
  });

  it('has to be in a folder that is there', () => {
    expect(
      () => new AccessWriter({ destination: join(folder, 'no', 'a.log'), clock: WALL_CLOCK, ...ignoring }),
    ).toThrow('ENOENT');
  });
});
