import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { SilentLog } from '../../test/support/silent-log.js';
import type { Letter, LetterStore } from '../core/index.js';
import type { RolloutNotice } from '../delivery/index.js';
import { Webhooks } from './webhooks.js';

const SECRET = Buffer.from('0123456789abcdef0123456789abcdef');
const folder = mkdtempSync(join(tmpdir(), 'penstock-webhooks-'));
const secretFile = join(folder, 'secret');
writeFileSync(secretFile, `whsec_${SECRET.toString('base64')}\n`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const notice = (number: number): RolloutNotice => ({
  id: 'digits-v4',
  model: 'digits',
  candidate: 4,
  baseline: 3,
  atMs: 1_700_000_000_000 + number,
  number,
  from: 'progressing',
  to: 'rolling-back',
  step: 1,
  code: 'guard-failed',
  why: 'guard errors',
  guards: [],
});

interface Sent {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** As a state file keeps them. */
class KeptLetters implements LetterStore {
  kept: Letter[] = [];
  full = false;

  keep(letter: Letter): void {
    if (this.full) throw new Error('the disk is full');
    this.kept.push(letter);
  }

  forget(webhook: string, id: string): void {
    this.kept = this.kept.filter((letter) => letter.webhook !== webhook || letter.id !== id);
  }

  letters(): readonly Letter[] {
    return this.kept;
  }
}

/** Webhooks over a network that answers as told, in the order of the calls. */
function setup(
  answers: (number | 'down')[] = [],
  names = ['ops'],
  store: LetterStore = new KeptLetters(),
  begun = true,
) {
  const clock = new FakeClock();
  const sent: Sent[] = [];
  const send = (async (url: string, init: { headers: Record<string, string>; body: string }) => {
    sent.push({ url, headers: init.headers, body: init.body });
    const answer = answers.shift() ?? 204;
    if (answer === 'down') throw new TypeError('fetch failed');
    return new Response(null, { status: answer });
  }) as unknown as typeof fetch;
  const hooks = names.map((name) => ({ name, url: `http://127.0.0.1/${name}`, secretFile }));
  const log = new SilentLog();
  const webhooks = new Webhooks({ hooks, clock, log, send, store });
  if (begun) webhooks.resume();
  /** Lets what was sent be answered, as often as it takes. */
  const settle = async () => {
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, sent, webhooks, settle, log };
}

describe('webhooks of rollouts', () => {
  it('get after a restart what was not delivered before it, once, in order, and nothing else', async () => {
    const store = new KeptLetters();
    const before = setup([204, 'down'], ['ops', 'gone'], store);
    for (const number of [1, 2, 3]) before.webhooks.tell(notice(number), ['ops']);
    before.webhooks.tell(notice(4), ['gone']);
    before.webhooks.close();
    await before.settle();
    const waiting = store.kept.map(({ id }) => id);
    expect(waiting.length).toBe(4);

    const after = setup([], ['ops'], store, false);
    after.webhooks.tell(notice(5), ['ops']);
    await after.settle();
    expect(after.sent).toEqual([]);
    after.webhooks.resume();
    await after.settle();
    const ids = before.sent.slice(0, 1).map(({ body }) => JSON.parse(body).id);
    expect(after.sent.map(({ body }) => JSON.parse(body).id)).toEqual([
      ...ids,
      ...waiting.slice(1, 3),
      expect.stringContaining('/5/'),
    ]);
    expect(after.sent.map(({ url }) => url)).toEqual(new Array(4).fill('http://127.0.0.1/ops'));
    expect(store.kept).toEqual([]);
    expect(after.log.lines).toContainEqual(expect.objectContaining({ message: 'a notice that waited is dropped' }));
  });

  it('get notices that cannot be kept all the same', async () => {
    const store = new KeptLetters();
    store.full = true;
    const { sent, webhooks, settle, log } = setup([], ['ops'], store);
    webhooks.tell(notice(1), undefined);
    await settle();
    expect(sent.length).toBe(1);
    expect(log.lines).toContainEqual(expect.objectContaining({ level: 'error' }));
  });

  it('get a signed CloudEvent of each move, which a receiver can check', async () => {
    const { sent, webhooks, settle } = setup();
    webhooks.tell(notice(7), undefined);
    await settle();
    const [{ url, headers, body }] = sent as [Sent];
    expect(url).toBe('http://127.0.0.1/ops');
    expect(headers['content-type']).toMatch(/^application\/cloudevents\+json/);
    expect(JSON.parse(body)).toMatchObject({
      specversion: '1.0',
      type: 'io.penstock.rollout.moved.v1',
      source: '/penstock/models/digits',
      subject: 'digits-v4',
      time: '2023-11-14T22:13:20.007Z',
      data: { to: 'rolling-back', why: 'guard errors' },
    });
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    const expected = createHmac('sha256', SECRET).update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${expected}`);
    expect(headers['webhook-id']).toBe(JSON.parse(body).id);
    expect(webhooks.figures()).toEqual([{ name: 'ops', delivered: 1, failed: 0, dropped: 0, waiting: 0 }]);
  });

  it('are tried again with longer and longer waits, in order, with the same id', async () => {
    const { clock, sent, webhooks, settle } = setup(['down', 503, 429]);
    webhooks.tell(notice(1), undefined);
    webhooks.tell(notice(2), undefined);
    for (const waitMs of [1000, 2000, 4000]) {
      await settle();
      const before = sent.length;
      clock.advance(waitMs * 1e6 - 1);
      await settle();
      expect(sent).toHaveLength(before);
      clock.advance(1);
    }
    await settle();
    const numbers = sent.map(({ body }) => JSON.parse(body).data.number);
    expect(numbers).toEqual([1, 1, 1, 1, 2]);
    expect(new Set(sent.slice(0, 4).map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(webhooks.figures()).toMatchObject([{ delivered: 2, failed: 0 }]);
  });

  it('are given up after all tries, or at once where they refuse for good', async () => {
    const { clock, sent, webhooks, settle } = setup([404, ...new Array<number>(7).fill(500)]);
    webhooks.tell(notice(1), undefined);
    await settle();
    expect(webhooks.figures()).toMatchObject([{ delivered: 0, failed: 1 }]);
    webhooks.tell(notice(2), undefined);
    for (let i = 0; i < 7; i++) {
      await settle();
      clock.advance(60e9);
    }
    await settle();
    expect(sent).toHaveLength(8);
    expect(webhooks.figures()).toMatchObject([{ delivered: 0, failed: 2, waiting: 0 }]);
    expect(clock.timers).toBe(0);
  });

  it('drop what is too much, and count it', async () => {
    const { webhooks, settle } = setup(['down']);
    for (let i = 0; i < 300; i++) webhooks.tell(notice(i), undefined);
    await settle();
    expect(webhooks.figures()).toMatchObject([{ dropped: 44, waiting: 256 }]);
    webhooks.close();
  });

  it('are told where a plan names them, and nothing more after the end', async () => {
    const { clock, sent, webhooks, settle } = setup(['down'], ['ops', 'audit', 'third']);
    webhooks.tell(notice(1), ['audit', 'gone']);
    await settle();
    expect(sent.map(({ url }) => url)).toEqual(['http://127.0.0.1/audit']);
    webhooks.close();
    clock.advance(60e9);
    webhooks.tell(notice(2), undefined);
    await settle();
    expect(sent).toHaveLength(1);
  });

  it.each([
    ['too short', 'whsec_YWJj', 'has at least 24 bytes, this has 3'],
    ['missing', undefined, 'cannot be read (ENOENT)'],
  ])('refuse a secret that is %s, at the start', (name, text, message) => {
    const file = join(folder, name);
    if (text !== undefined) writeFileSync(file, text);
    const hooks = [{ name: 'ops', url: 'http://127.0.0.1/', secretFile: file }];
    expect(
      () => new Webhooks({ hooks, clock: new FakeClock(), log: new SilentLog(), store: new KeptLetters() }),
    ).toThrow(message);
  });
});
