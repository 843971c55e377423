import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { ModelFolder } from '../../../test/support/model-folder.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { RepositoryPoll } from './repository-poll.js';

const EVERY_MS = 15_000;

let folder: ModelFolder;
let clock: FakeClock;
let log: SilentLog;
let acts: string[];
let refuse: Set<string>;
let poll: RepositoryPoll;
let armed: () => void;

beforeEach(async () => {
  folder = new ModelFolder();
  clock = new FakeClock();
  log = new SilentLog();
  acts = [];
  refuse = new Set();
  armed = () => {};
  folder.model('a', [1, 2]).model('b', [1]);
  poll = new RepositoryPoll({
    roots: [folder.path],
    everyMs: EVERY_MS,
    clock: {
      nowNs: () => clock.nowNs(),
      wallMs: () => clock.wallMs(),
      setTimer: (atNs, action) => {
        armed();
        return clock.setTimer(atNs, action);
      },
    },
    log,
    load: async (name, unchanged) => {
      acts.push(`load ${name} keep ${[...unchanged].join(',')}`.trim());
      if (refuse.has(name)) throw new Error('refused');
    },
    unload: async (name) => {
      acts.push(`unload ${name}`);
    },
  });
  poll.begin(await poll.look(), new Set());
});

afterEach(() => {
  poll.stop();
  folder.remove();
});

/** Time passes, until the look that is due then has ended: it sets the time of the next. */
async function pass(ms: number): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    armed = resolve;
  });
  clock.advance(ms * 1e6);
  await ended;
  await new Promise(setImmediate);
}

/** A change is seen at the first look and acted upon at the second. */
async function twoLooks(): Promise<string[]> {
  await pass(EVERY_MS);
  await pass(1000);
  return acts.splice(0);
}

describe('following a repository', () => {
  it('does nothing while nothing changes', async () => {
    await pass(EVERY_MS);
    await pass(EVERY_MS);
    expect(acts).toEqual([]);
  });

  it('opens a version that comes, and keeps those that are as they were', async () => {
    folder.model('a', [3]);
    expect(await twoLooks()).toEqual(['load a keep 1,2']);
    await pass(EVERY_MS);
    expect(acts).toEqual([]);
  });

  it('waits until the files stay the same', async () => {
    folder.model('a', [3]);
    await pass(EVERY_MS);
    folder.write('a/3/model.onnx', 'longer than before');
    await pass(1000);
    expect(acts).toEqual([]);
    await pass(1000);
    expect(acts).toEqual(['load a keep 1,2']);
  });

  it('opens all anew where the config changes, and none where only the routes do', async () => {
    folder.write('a/config.pbtxt', 'max_batch_size: 4');
    expect(await twoLooks()).toEqual(['load a keep']);
    folder.write('a/routes.yaml', 'split: []');
    expect(await twoLooks()).toEqual(['load a keep 1,2']);
  });

  it('opens a version whose file was written again, of the same size', async () => {
    utimesSync(join(folder.path, 'a/2/model.onnx'), 1, 1);
    expect(await twoLooks()).toEqual(['load a keep 1']);
  });

  it('sees a link that leads elsewhere now', async () => {
    const stamp = new Date(5000);
    for (const name of ['one', 'two']) {
      mkdirSync(join(folder.path, `.${name}`));
      utimesSync(folder.write(`.${name}/model.onnx`, 'same'), stamp, stamp);
    }
    const link = join(folder.path, 'a', '7');
    symlinkSync('../.one', link);
    expect(await twoLooks()).toEqual(['load a keep 1,2']);
    symlinkSync('../.two', `${link}.new`);
    renameSync(`${link}.new`, link);
    expect(await twoLooks()).toEqual(['load a keep 1,2']);
  });

  it('loads models that come and unloads those that go', async () => {
    folder.model('c', [1]);
    folder.remove('b');
    expect((await twoLooks()).sort()).toEqual(['load c keep', 'unload b']);
  });

  it('tries a load that failed again only when the files change, and then keeps what serves', async () => {
    refuse.add('a');
    folder.model('a', [3]);
    expect(await twoLooks()).toEqual(['load a keep 1,2']);
    await pass(EVERY_MS);
    expect(acts).toEqual([]);
    refuse.clear();
    folder.write('a/3/model.onnx', 'mended now');
    expect(await twoLooks()).toEqual(['load a keep 1,2']);
  });

  it('takes no model away while a repository cannot be read, and says so once', async () => {
    const aside = `${folder.path}-aside`;
    renameSync(folder.path, aside);
    await pass(EVERY_MS);
    await pass(EVERY_MS);
    expect(acts).toEqual([]);
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    renameSync(aside, folder.path);
    await pass(EVERY_MS);
    expect(acts).toEqual([]);
    rmSync(aside, { recursive: true, force: true });
  });

  it('does nothing more when it was stopped', async () => {
    folder.model('c', [1]);
    await pass(EVERY_MS);
    poll.stop();
    clock.advance(EVERY_MS * 1e6);
    await new Promise(setImmediate);
    expect(acts).toEqual([]);
  });
});
