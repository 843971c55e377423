import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seeded } from '../../test/support/seeded-random.js';
import { SilentLog } from '../../test/support/silent-log.js';
import { StateStore } from './state-store.js';

// The compiled store, since a fresh process does not read TypeScript.
const STORE = new URL('../../dist/store/index.js', import.meta.url).href;
const KILLS = 25;

/** Commits change i, then says i: as rollout, decision, release and routes at once. Begins behind what is there. */
const WRITER = `
  const { StateStore } = await import(${JSON.stringify(STORE)});
  const { writeSync } = await import('node:fs');
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const store = new StateStore({ file: process.argv[1], make: 'now', log });
  let i = Number(store.rollouts()[0]?.progress ?? 0);
  const pad = 'x'.repeat(3000);
  writeSync(1, 'open ' + i + '\\n');
  for (;;) {
    i++;
    const number = store.nextSplitNumber();
    const split = { number, rollout: 'r', baseline: 1, candidate: 2, canaryBuckets: i % 10001, shadowBuckets: 0, salt: pad };
    try {
      store.commit({
        rollout: { id: 'r', model: 'm', state: 's', plan: '{}', progress: String(i), updatedMs: i },
        decisions: [{ rollout: 'r', atMs: i, kind: 'observed', body: String(i) }, { rollout: 'r', atMs: i, kind: 'decided', body: pad }],
        release: { model: 'm', release: { defaultVersion: i, split } },
        routes: { model: 'm', document: JSON.stringify({ i, pad }) },
      });
    } catch (thrown) {
      writeSync(1, 'refused ' + thrown.reason + '\\n');
      process.exit(7);
    }
    writeSync(1, i + '\\n');
  }`;

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-killed-'));
  file = join(folder, 'state.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the writer said until it ended; `onText` is called with what it said so far. */
async function written(command: string, args: readonly string[], onText: (text: string, child: ChildProcess) => void) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let fault = '';
  child.stderr.on('data', (chunk) => {
    fault += chunk;
  });
  child.stdout.on('data', (chunk) => {
    text += chunk;
    onText(text, child);
  });
  await new Promise((resolve) => child.once('close', resolve));
  return { text, fault };
}

const script = ['--input-type=module', '-e', WRITER];
const saidLast = (text: string) =>
  Math.max(
    ...text
      .split('\n')
      .slice(0, -1)
      .map((line) => Number(line.replace('open ', '')))
      .filter(Number.isFinite),
  );

/** The number of the change that the file holds, which is one change in all its parts. */
function heldChange(): number {
  const store = new StateStore({ file, make: 'needed', log: new SilentLog() });
  try {
    const held = Number(store.rollouts()[0]?.progress ?? 0);
    const decisions = store.decisions('r');
    expect(decisions.filter(({ kind }) => kind === 'observed').map(({ body }) => Number(body))).toEqual(
      Array.from({ length: held }, (_, i) => i + 1),
    );
    expect(decisions.length).toBe(2 * held);
    if (held === 0) return 0;
    const release = store.releases().get('m');
    expect(release?.defaultVersion).toBe(held);
    expect(JSON.parse(store.routes().get('m') ?? '{}').i).toBe(held);
    // Given before the commit: never behind what was committed.
    expect(store.nextSplitNumber()).toBeGreaterThan(release?.split?.number as number);
    return held;
  } finally {
    store.close();
  }
}

describe('a writer that is killed', () => {
  it(`leaves the last change that it said was kept, or the one after, ${KILLS} times`, {
    timeout: 120_000,
  }, async () => {
    const random = seeded(11);
    let least = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const lines = 1 + Math.floor(random() * 60);
      const delayUs = Math.floor(random() * 1500);
      const { text, fault } = await written(process.execPath, [...script, file], (sofar, child) => {
        if (sofar.split('\n').length <= lines || child.killed) return;
        const end = performance.now() + delayUs / 1000;
        while (performance.now() < end); // finer than a timer
        child.kill('SIGKILL');
      });
      expect(fault).toBe('');
      const said = saidLast(text);
      const held = heldChange();
      expect(held).toBeGreaterThanOrEqual(said);
      expect(held).toBeLessThanOrEqual(said + 1);
      expect(held).toBeGreaterThanOrEqual(least);
      least = held;
    }
    expect(least).toBeGreaterThan(KILLS);
  });
});

describe('a disk that is full', () => {
  it('gives INTERNAL, and what was committed before stays', { timeout: 60_000 }, async () => {
    // A limit of the size of files, in blocks of 1024 bytes: the same to SQLite as a device without room.
    const limited = ['-c', 'ulimit -f 1500; exec "$0" "$@"', process.execPath, ...script, file];
    const { text, fault } = await written('bash', limited, () => {});
    expect(fault).toBe('');
    expect(text).toMatch(/^refused INTERNAL$/m);
    const said = saidLast(text);
    expect(said).toBeGreaterThan(10);
    expect(heldChange()).toBe(said);
  });
});
