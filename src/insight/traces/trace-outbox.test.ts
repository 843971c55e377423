import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { TraceFigures, traceSums } from './trace-figures.js';
import { TraceOutbox } from './trace-outbox.js';
import type { TraceRecord } from './trace-record.js';

function setup(tracesPerSecond = 10) {
  const clock = new FakeClock();
  const figures = TraceFigures.memory();
  const bunches: number[] = [];
  const outbox = new TraceOutbox({ clock, tracesPerSecond, figures, post: (records) => bunches.push(records.length) });
  const keep = () => outbox.mayKeep('head', clock.nowNs());
  const send = (count: number) => {
    for (let i = 0; i < count; i++) outbox.send({} as TraceRecord);
  };
  return { clock, outbox, bunches, keep, send, sums: () => traceSums([figures]) };
}

describe('traces of a thread', () => {
  it('are limited to so many a second, and counted', () => {
    const { clock, keep, sums } = setup(10);
    const kept = () => Array.from({ length: 15 }, keep).filter(Boolean).length;
    expect(kept()).toBe(10);
    clock.advance(0.5e9);
    expect(kept()).toBe(5);
    clock.advance(100e9);
    expect(kept()).toBe(10);
    expect(sums()).toMatchObject({ kept: { head: 25, error: 0 }, dropped: { rate: 20, busy: 0 } });
  });

  it('of less than one a second come all the same', () => {
    const { clock, keep } = setup(0.5);
    expect([keep(), keep()]).toEqual([true, false]);
    clock.advance(2e9);
    expect([keep(), keep()]).toEqual([true, false]);
  });

  it('go in bunches, the last one after a while', () => {
    const { clock, send, bunches } = setup();
    send(70);
    expect(bunches).toEqual([64]);
    clock.advance(50e6);
    expect(bunches).toEqual([64, 6]);
    clock.advance(1e9);
    expect(bunches).toEqual([64, 6]);
  });

  it('are dropped where the other side does not take them', () => {
    const { keep, send, outbox, sums } = setup(1e6);
    send(4096);
    expect(keep()).toBe(false);
    outbox.taken(64);
    expect(keep()).toBe(true);
    expect(sums().dropped).toEqual({ rate: 0, busy: 1 });
  });
});
