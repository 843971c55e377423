import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { responseOf } from '../../../test/support/inference-samples.js';
import { request } from '../../../test/support/specs.js';
import { type InferenceReply, type Reason, ServingError } from '../../core/index.js';
import { SecondTry } from './second-try.js';

const MS = 1e6;

/** One of the two versions: settles once, when the test says; its `cancel` settles it at once or later, as queues do. */
class Run {
  reply: InferenceReply | undefined;
  settled = false;
  cancelled = false;

  send = (reply: InferenceReply) => {
    this.reply = reply;
    return {
      cancel: () => {
        this.cancelled = true;
        this.fail('CLIENT_CANCELLED');
      },
    };
  };

  get runs(): boolean {
    return this.reply !== undefined && !this.settled;
  }

  /** A response before the last one, of a decoupled model. */
  part(id: string): void {
    if (this.runs) this.reply?.part?.(responseOf([], { id }), () => {});
  }

  done(id: string): void {
    if (!this.runs) return;
    this.settled = true;
    this.reply?.done(responseOf([], { id }));
  }

  fail(reason: Reason): void {
    if (!this.runs) return;
    this.settled = true;
    this.reply?.failed(new ServingError(reason, reason));
  }
}

function secondTry(options: { onError?: boolean; afterMs?: number; deadlineMs?: number } = {}) {
  const clock = new FakeClock();
  const [first, second] = [new Run(), new Run()];
  const outcomes: string[] = [];
  const asked = request({
    receivedNs: clock.nowNs(),
    ...(options.deadlineMs ? { deadlineNs: options.deadlineMs * MS } : {}),
  });
  const { afterMs } = options;
  const tried = new SecondTry(
    {
      clock,
      request: asked,
      first: first.send,
      second: second.send,
      onError: options.onError ?? true,
      afterNs: afterMs === undefined ? undefined : afterMs * MS,
      gaveUp: () => outcomes.push('gave up'),
    },
    {
      part: ({ id }) => outcomes.push(`part of ${id}`),
      done: ({ id }) => {
        // Nothing reads the request any more when its caller hears.
        outcomes.push(`${id}${first.runs || second.runs ? ' while another runs' : ''}`);
      },
      failed: ({ reason }) => outcomes.push(reason),
    },
  );
  const handle = tried.begin();
  return { clock, first, second, outcomes, handle };
}

describe('a second try', () => {
  it('is not made where the first version answers, or refuses for the sake of the caller', () => {
    const good = secondTry();
    good.first.done('first');
    const wrong = secondTry();
    wrong.first.fail('SHAPE_MISMATCH');
    expect([good.outcomes, wrong.outcomes, good.second.reply, wrong.second.reply]).toEqual([
      ['first'],
      ['SHAPE_MISMATCH'],
      undefined,
      undefined,
    ]);
  });

  it("is made where the first one fails by the server's fault, and its answer counts", () => {
    const { first, second, outcomes } = secondTry();
    first.fail('BACKEND_FAILED');
    expect(outcomes).toEqual([]);
    second.done('second');
    expect(outcomes).toEqual(['second']);
  });

  it('tells of the first error where both fail', () => {
    const { first, second, outcomes } = secondTry();
    first.fail('BACKEND_FAILED');
    second.fail('QUEUE_FULL');
    expect(outcomes).toEqual(['BACKEND_FAILED']);
  });

  it('is made beside a first one that is late; the first answer counts and the other run is cancelled before', () => {
    const slow = secondTry({ afterMs: 10 });
    slow.clock.advance(9 * MS);
    expect(slow.second.runs).toBe(false);
    slow.clock.advance(MS);
    expect([slow.first.runs, slow.second.runs]).toEqual([true, true]);
    slow.second.done('second');
    expect(slow.outcomes).toEqual(['gave up', 'second']);
    expect(slow.first.cancelled).toBe(true);

    const close = secondTry({ afterMs: 10 });
    close.clock.advance(10 * MS);
    close.first.done('first');
    expect([close.outcomes, close.second.cancelled]).toEqual([['first'], true]);
  });

  it('that fails leaves the late first one its time', () => {
    const { clock, first, second, outcomes } = secondTry({ afterMs: 10 });
    clock.advance(10 * MS);
    second.fail('BACKEND_FAILED');
    expect(outcomes).toEqual([]);
    first.done('first');
    expect(outcomes).toEqual(['first']);
  });

  it('is not made after the deadline, nor where errors are not to be tried again', () => {
    const late = secondTry({ deadlineMs: 5 });
    late.clock.advance(6 * MS);
    late.first.fail('BACKEND_FAILED');
    const never = secondTry({ onError: false });
    never.first.fail('BACKEND_FAILED');
    expect([late.outcomes, never.outcomes]).toEqual([['BACKEND_FAILED'], ['BACKEND_FAILED']]);
  });

  it('is decided by the first response of a decoupled model: the other run is cancelled, and an error is not tried again', () => {
    const { clock, first, second, outcomes } = secondTry({ afterMs: 10 });
    clock.advance(10 * MS);
    second.part('second');
    expect(first.cancelled).toBe(true);
    first.part('first');
    second.part('second');
    second.done('second');
    expect(outcomes).toEqual(['gave up', 'part of second', 'part of second', 'second']);

    const broken = secondTry();
    broken.first.part('first');
    broken.first.fail('BACKEND_FAILED');
    expect([broken.outcomes, broken.second.reply]).toEqual([['part of first', 'BACKEND_FAILED'], undefined]);

    const both = secondTry({ afterMs: 10 });
    both.clock.advance(10 * MS);
    both.first.part('first');
    expect(both.second.cancelled).toBe(true);
    both.first.fail('BACKEND_FAILED');
    expect(both.outcomes).toEqual(['part of first', 'BACKEND_FAILED']);
  });

  it('that a client cancels ends both, once', () => {
    const { clock, first, second, outcomes, handle } = secondTry({ afterMs: 10 });
    clock.advance(10 * MS);
    handle.cancel();
    handle.cancel();
    expect([first.cancelled, second.cancelled]).toEqual([true, true]);
    expect(outcomes).toEqual(['CLIENT_CANCELLED']);
  });

  it('settles exactly once and leaves nothing running, in whatever order things happen', () => {
    const step = fc.constantFrom(
      'first part',
      'second part',
      'first done',
      'first fails',
      'first refuses',
      'second done',
      'second fails',
      'cancel',
      'time',
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.option(fc.integer({ min: 1, max: 20 })), (steps, afterMs) => {
        const { clock, first, second, outcomes, handle } = secondTry(afterMs === null ? {} : { afterMs });
        const act: Record<string, () => void> = {
          'first part': () => first.part('first'),
          'second part': () => second.part('second'),
          'first done': () => first.done('first'),
          'first fails': () => first.fail('EXECUTOR_LOST'),
          'first refuses': () => first.fail('SHAPE_MISMATCH'),
          'second done': () => second.done('second'),
          'second fails': () => second.fail('BACKEND_FAILED'),
          cancel: () => handle.cancel(),
          time: () => clock.advance(8 * MS),
        };
        for (const name of [...steps, 'time', 'time', 'time', 'first done', 'second done']) act[name]?.();
        const told = outcomes.filter((outcome) => outcome !== 'gave up');
        const parts = told.filter((outcome) => outcome.startsWith('part'));
        expect(told).toHaveLength(parts.length + 1);
        expect(told.at(-1)).not.toMatch(/^part/);
        // Whose response came first answers, or fails, alone.
        expect(new Set(parts).size).toBeLessThanOrEqual(1);
        if (parts[0] === 'part of first') expect(told.at(-1)).not.toBe('second');
        if (parts[0] === 'part of second') expect(told.at(-1)).not.toBe('first');
        expect(outcomes.join()).not.toMatch(/while another runs/);
        expect([first.runs, second.runs]).toEqual([false, false]);
      }),
      { numRuns: 500 },
    );
  });
});
