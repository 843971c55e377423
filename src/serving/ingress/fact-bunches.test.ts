import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import type { ReleaseFact } from '../../core/index.js';
import { FactBunches } from './fact-bunches.js';

const MS = 1e6;

function setup() {
  const clock = new FakeClock();
  const sent: { facts: number[]; lost: number; atNs: number }[] = [];
  const bunches = new FactBunches(clock, (facts, lost) =>
    sent.push({ facts: facts.map(({ split }) => split), lost, atNs: clock.nowNs() }),
  );
  let next = 0;
  const note = (count = 1) => {
    for (let i = 0; i < count; i++)
      bunches.note({ kind: 'shadow-dropped', model: 'm', version: 2, split: next++ } satisfies ReleaseFact);
  };
  const all = () => sent.flatMap(({ facts }) => facts);
  return { clock, sent, bunches, note, all };
}

describe('bunches of facts', () => {
  it('go ten milliseconds after their first fact, or when they are full', () => {
    const { clock, sent, note } = setup();
    note(2);
    clock.advance(9 * MS);
    note();
    expect(sent).toEqual([]);
    clock.advance(MS);
    expect(sent).toEqual([{ facts: [0, 1, 2], lost: 0, atNs: 10 * MS }]);
    note(256);
    expect(sent[1]?.facts).toHaveLength(256);
    clock.advance(100 * MS);
    expect(sent).toHaveLength(2);
  });

  it('wait while several are not taken, lose what comes beyond one bunch, and say how much', () => {
    const { clock, sent, bunches, note, all } = setup();
    note(4 * 256 + 256 + 30);
    clock.advance(100 * MS);
    expect(sent).toHaveLength(4);
    bunches.taken();
    expect(sent).toHaveLength(5);
    expect(sent[4]).toMatchObject({ lost: 30 });
    note();
    clock.advance(10 * MS);
    expect(sent).toHaveLength(5);
    bunches.taken();
    expect(sent[5]).toMatchObject({ facts: [5 * 256 + 30], lost: 0 });
    expect(new Set(all()).size).toBe(5 * 256 + 1);
  });

  it('leave nothing behind when the thread ends, whatever is on its way', () => {
    const { clock, sent, bunches, note } = setup();
    bunches.flush();
    expect(sent).toEqual([]);
    note(5 * 256 + 7);
    bunches.flush();
    expect(sent.at(-1)).toMatchObject({ lost: 7 });
    clock.advance(100 * MS);
    expect(sent).toHaveLength(5);
  });
});
