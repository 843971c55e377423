import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { AccessFigures, accessDrops } from './access-figures.js';
import { AccessLines, type AccessLinesOptions } from './access-lines.js';
import type { AccessRecord } from './access-record.js';

const record = (status = 200, protocol: AccessRecord['protocol'] = 'http') => ({ status, protocol }) as AccessRecord;

function setup(options: Partial<AccessLinesOptions> = {}) {
  const clock = new FakeClock();
  const figures = AccessFigures.memory();
  const posted: string[] = [];
  const turns: (() => void)[] = [];
  const lines = new AccessLines({
    clock,
    random: Math.random,
    format: ({ status }) => `${status}\n`,
    fraction: 1,
    maxPending: 1000,
    figures,
    post: (text) => posted.push(text),
    later: (act) => turns.push(act),
    ...options,
  });
  const add = (count: number, one = record()) => {
    for (let i = 0; i < count; i++) lines.add(one);
  };
  const counts = () => posted.map((text) => text.split('\n').length - 1);
  return { clock, lines, add, posted, turns, counts, drops: () => accessDrops([figures]) };
}

describe('the access log of a thread', () => {
  it('makes lines later, a bounded part a turn', () => {
    const { clock, add, counts, turns } = setup();
    add(300);
    expect(counts()).toEqual([]);
    clock.advance(100e6);
    expect([counts(), turns.length]).toEqual([[128], 1]);
    turns.shift()?.();
    turns.shift()?.();
    expect([counts(), turns.length]).toEqual([[128, 128, 44], 0]);
    add(1);
    clock.advance(100e6);
    expect(counts()).toEqual([128, 128, 44, 1]);
  });

  it('drops what is too much, and counts it; goes on when its lines were taken', () => {
    const { clock, lines, add, counts, drops } = setup({ maxPending: 100 });
    add(150);
    clock.advance(100e6);
    add(10);
    expect([counts(), drops()]).toEqual([[100], { busy: 60, write_failed: 0 }]);
    lines.taken(100);
    add(10);
    clock.advance(100e6);
    expect(counts()).toEqual([100, 10]);
  });

  it('has a part of those that were answered, and all that were not', () => {
    const { lines, add, posted } = setup({ fraction: 0 });
    add(5);
    add(2, record(504));
    add(3, record(0, 'grpc'));
    add(1, record(14, 'grpc_stream'));
    lines.flush();
    expect(posted).toEqual(['504\n504\n14\n']);
  });

  it('hands on all there is when requests are over', () => {
    const { lines, add, counts } = setup();
    add(300);
    lines.flush();
    lines.flush();
    expect(counts()).toEqual([128, 128, 44]);
  });
});
