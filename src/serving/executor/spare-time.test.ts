import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { fp32 } from '../../../test/support/specs.js';
import type { Batch, BatchOutcome } from '../../core/index.js';
import { SpareTime } from './spare-time.js';

const BATCH: Batch = {
  version: { model: 'm', version: 1 },
  members: [{ inputs: [fp32('x', [1, 2])], rows: 1 }],
  rows: 1,
};

/** Versions of so many instances each, on their devices. */
function setup(...versions: { slots: number; devices?: string[] }[]) {
  const clock = new FakeClock();
  const time = new SpareTime();
  return versions.map(({ slots, devices = ['cpu:0'] }) => {
    const executor = new FakeExecutor({ clock, slots, cancelNs: 0 });
    const shared = time.share(executor, devices);
    const waits = { foreground: 0, background: 0 };
    const outcomes: BatchOutcome['kind'][] = [];
    shared.waiting = () => waits.foreground;
    /** A batcher that has one waiting. */
    const pull = (which: 'foreground' | 'background') => {
      while (waits[which] > 0 && shared[which].freeSlots() > 0) {
        waits[which]--;
        shared[which].execute(BATCH, ({ kind }) => outcomes.push(kind));
      }
    };
    shared.foreground.onSlotFree = () => pull('foreground');
    shared.background.onSlotFree = () => pull('background');
    const ask = (which: 'foreground' | 'background', count = 1) => {
      waits[which] += count;
      pull(which);
    };
    return { executor, shared, waits, outcomes, ask, clock };
  });
}

type Version = ReturnType<typeof setup>[number];
const finish = ({ executor }: Version) => executor.executions.findLast(({ ended }) => !ended)?.finish([]);

describe('spare time', () => {
  it('is there while nothing runs on the device, and after', () => {
    const [baseline, candidate] = setup({ slots: 1 }, { slots: 1 }) as [Version, Version];
    candidate.ask('background');
    expect(candidate.executor.busy).toBe(1);
    finish(candidate);
    baseline.ask('foreground');
    candidate.ask('background', 2);
    expect(candidate.executor.busy).toBe(0);
    finish(baseline);
    expect(candidate.executor.busy).toBe(1);
    expect(candidate.waits.background).toBe(1);
    finish(candidate);
    expect([candidate.executor.busy, candidate.waits.background]).toEqual([1, 0]);
  });

  it('is for one at once on a device, of whichever version', () => {
    const [a, b, other] = setup({ slots: 2 }, { slots: 2 }, { slots: 1, devices: ['cuda:0'] }) as [
      Version,
      Version,
      Version,
    ];
    a.ask('background', 2);
    b.ask('background');
    other.ask('background');
    expect([a, b, other].map(({ executor }) => executor.busy)).toEqual([1, 0, 1]);
    finish(a);
    finish(a);
    expect([a, b].map(({ executor }) => executor.busy)).toEqual([0, 1]);
  });

  it('is not there while a request waits, though instances are free', () => {
    const [baseline, candidate] = setup({ slots: 1 }, { slots: 4 }) as [Version, Version];
    baseline.ask('foreground', 2);
    candidate.ask('background');
    baseline.ask('foreground');
    finish(baseline);
    // One runs, one waits: of five instances four are free.
    expect([baseline.executor.busy, candidate.executor.busy]).toEqual([1, 0]);
    finish(baseline);
    expect([baseline.executor.busy, candidate.executor.busy]).toEqual([1, 1]);
  });

  it('needs half of the instances idle where there are many', () => {
    const [baseline, candidate] = setup({ slots: 4 }, { slots: 2 }) as [Version, Version];
    baseline.ask('foreground', 3);
    candidate.ask('background');
    expect(candidate.executor.busy).toBe(0);
    finish(baseline);
    expect(candidate.executor.busy).toBe(1);
  });

  it('ends where requests take the last of it', () => {
    const [few, candidate] = setup({ slots: 1 }, { slots: 1 }) as [Version, Version];
    candidate.ask('background');
    few.ask('foreground');
    candidate.clock.advance(1);
    expect(candidate.outcomes).toEqual(['failed']);

    const [many, other] = setup({ slots: 6 }, { slots: 2 }) as [Version, Version];
    other.ask('background');
    many.ask('foreground', 3);
    other.clock.advance(1);
    expect(other.outcomes).toEqual([]);
    many.ask('foreground');
    other.clock.advance(1);
    expect(other.outcomes).toEqual(['failed']);
  });

  it('ends where a request needs the slot', () => {
    const [candidate] = setup({ slots: 1 }) as [Version];
    candidate.ask('background');
    candidate.ask('foreground');
    expect(candidate.executor.executions.map(({ cancelled }) => cancelled)).toEqual([true]);
    candidate.clock.advance(1);
    expect(candidate.outcomes).toEqual(['failed']);
    expect(candidate.executor.executions).toHaveLength(2);
    expect(candidate.waits.foreground).toBe(0);
  });

  it('ends where a request of another version waits, whatever for', () => {
    const [baseline, candidate] = setup({ slots: 1 }, { slots: 1 }) as [Version, Version];
    candidate.ask('background');
    // Something that instances share is taken.
    baseline.executor.setSlots(0);
    baseline.ask('foreground');
    candidate.clock.advance(1);
    expect(candidate.outcomes).toEqual(['failed']);
  });

  it('does not count a version that is gone, nor an execution that could not begin', () => {
    const [baseline, candidate] = setup({ slots: 1 }, { slots: 1 }) as [Version, Version];
    baseline.waits.foreground = 5;
    candidate.ask('background');
    expect(candidate.executor.busy).toBe(0);
    baseline.shared.leave();
    expect(candidate.executor.busy).toBe(1);
    finish(candidate);
    candidate.ask('foreground');
    expect(() => candidate.shared.foreground.execute(BATCH, () => {})).toThrow('no slot');
    finish(candidate);
    candidate.ask('background');
    expect(candidate.executor.busy).toBe(1);
  });
});
