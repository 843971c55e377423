import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ServingError } from '../core/index.js';
import { createLog, type LogOptions } from './index.js';

function setup(changes: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  const log = createLog({ level: 'info', format: 'json', destination, ...changes });
  return { log, lines, last: () => JSON.parse(lines.at(-1) as string) };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('the log', () => {
  it('writes one JSON object a line', () => {
    const { log, lines, last } = setup();
    log.info('model is ready', { model: 'digits', version: 2, big: 2n ** 60n });
    expect(lines[0]).toMatch(/\n$/);
    expect(last()).toMatchObject({ level: 'info', msg: 'model is ready', model: 'digits', version: 2 });
    expect(last().big).toBe('1152921504606846976');
    expect(last().time).toMatch(/^\d{4}-.*Z$/);
  });

  it('leaves out levels below its own and those that are muted', () => {
    const { log, lines } = setup({ muted: ['warn'] });
    log.debug('a');
    log.warn('b');
    log.error('c');
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['c']);
    log.set({ level: 'debug', format: 'json', muted: ['warn'] });
    log.debug('d');
    expect(lines.length).toBe(2);
  });

  it('writes readable lines in which no value can begin a line or move the cursor', () => {
    const { log, lines } = setup({ format: 'text' });
    log.warn('odd\u001b[2J name', { model: 'a\nERROR forged', path: '/models/a', count: 3, shape: [1, 2] });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.replace(/^\S+/, 'T')).toBe(
      'T WARN  odd\\u001b[2J name model="a\\nERROR forged" path=/models/a count=3 shape=[1,2]\n',
    );
  });

  it('hides secrets by the name of their field and by their form, however deep', () => {
    const { log, lines } = setup();
    log.info('call', {
      adminToken: 'abcdef',
      headers: { Authorization: 'Bearer abc', 'x-api-key': 'k1', deeper: [{ cookie: 'c=1' }] },
      text: 'sent Bearer abcdef123456 to it',
      tokens: 12,
      error: new ServingError('INTERNAL', 'bearer zzzzzzzz failed', { cause: new Error('basic qqqqqqqq') }),
    });
    expect(lines[0]).not.toMatch(/abcdef|"k1"|c=1|zzzzzzzz|qqqqqqqq|Bearer abc"/);
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      tokens: 12,
      error: { reason: 'INTERNAL', cause: { type: 'Error' } },
    });
  });

  it('survives values that cannot be written as they are', () => {
    const { log, last } = setup();
    const loop: Record<string, unknown> = {
      bytes: new Uint8Array(3),
      when: new Date(0),
      f: () => 1,
      map: new Map([['a', 1]]),
    };
    loop.self = loop;
    log.info('odd', { loop });
    expect(last().loop).toMatchObject({ bytes: '[3 bytes]', when: '1970-01-01T00:00:00.000Z', map: { a: 1 } });
  });

  it('holds back a message that repeats, and says how often it came', () => {
    vi.useFakeTimers();
    const { log, lines, last } = setup();
    for (let i = 0; i < 1000; i++) log.warn('bad request', { i });
    log.warn('another');
    expect(lines).toHaveLength(21);
    vi.advanceTimersByTime(10_000);
    expect(last()).toMatchObject({ msg: 'repeated and not shown: bad request', suppressed: 980, level: 'warn' });
    log.warn('bad request');
    expect(lines).toHaveLength(23);
  });

  it('reports what it held back when it ends, and writes files through', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-log-'));
    try {
      const path = join(folder, 'server.log');
      const log = createLog({ level: 'info', format: 'json', destination: path });
      for (let i = 0; i < 25; i++) log.error('broken');
      await log.flush();
      const written = readFileSync(path, 'utf8').trim().split('\n');
      expect(written).toHaveLength(21);
      expect(written.at(-1)).toContain('"suppressed":5');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses a file that cannot be opened', () => {
    expect(() => createLog({ level: 'info', format: 'json', destination: '/no-such-folder/x.log' })).toThrow(
      'no-such-folder',
    );
  });
});
