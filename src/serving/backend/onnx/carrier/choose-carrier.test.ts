import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CARRIER_LIMITS, CarrierChoice, type CarrierName } from './choose-carrier.js';

const { shortNs, trialNs, overrunNs, longNs, firstWaitNs, longestWaitNs } = CARRIER_LIMITS;
const HOP_NS = 15e3;

/** Feeds a choice with the runs of a model that takes `computeNs(run)`; the carriers used, and when. */
function play(choice: CarrierChoice, runs: number, computeNs: (run: number) => number, everyNs = 1e5, bytes = 256) {
  const used: { carrier: CarrierName; ns: number; atNs: number }[] = [];
  for (let run = 0; run < runs; run++) {
    const atNs = run * everyNs;
    const carrier = choice.pick(bytes, atNs);
    const ns = computeNs(run);
    choice.ran(carrier, bytes, carrier === 'pool' ? ns + HOP_NS : ns, atNs + ns);
    used.push({ carrier, ns, atNs });
  }
  return used;
}

const last = (used: readonly { carrier: CarrierName }[], count: number) => used.slice(-count).map((u) => u.carrier);

describe('the choice of a carrier', () => {
  it.each(['pool', 'thread', 'sync'] as const)('is %s where the config says so, whatever runs take', (setting) => {
    const choice = new CarrierChoice(setting);
    const used = play(choice, 200, (run) => (run % 2) * 1e9);
    expect(new Set(used.map(({ carrier }) => carrier))).toEqual(new Set([setting]));
    expect(choice.state).toMatchObject({ carrier: setting, why: 'its config says so' });
  });

  it('goes to the thread that asks for runs shorter than a hop, and says why', () => {
    const choice = new CarrierChoice('auto');
    expect(choice.state).toMatchObject({ carrier: 'pool', why: 'nothing is known of its runs yet' });
    expect(
      last(
        play(choice, 50, () => 4e3),
        45,
      ),
    ).toEqual(Array(45).fill('sync'));
    expect(choice.state).toMatchObject({ carrier: 'sync', why: expect.stringContaining('less than a hop'), runUs: 4 });
  });

  it('goes to a thread of its own for long runs, and stays there', () => {
    const choice = new CarrierChoice('auto');
    const used = play(choice, 200, (run) => (run < 100 ? 4e6 : 2e5));
    expect(last(used, 120)).toEqual(Array(120).fill('thread'));
    expect(choice.state.carrier).toBe('thread');
  });

  it('goes from a crowded pool to a thread, and from there to the thread that asks', () => {
    const choice = new CarrierChoice('auto');
    for (let run = 0; run < 64; run++) choice.ran('pool', 256, 5e6, run * 1e6);
    expect(choice.pick(256, 65e6)).toBe('thread');
    choice.ran('thread', 256, 5e3, 66e6);
    expect(choice.pick(256, 67e6)).toBe('sync');
  });

  it('stays on the pool for runs between the two', () => {
    expect(
      last(
        play(new CarrierChoice('auto'), 300, () => 2e5),
        300,
      ),
    ).toEqual(Array(300).fill('pool'));
  });

  it('never holds the thread that asks where it may not', () => {
    const used = play(new CarrierChoice('auto', false), 300, () => 2e3);
    expect(used.some(({ carrier }) => carrier === 'sync')).toBe(false);
  });

  it('tells sizes apart: short small batches are synchronous, long large ones are not', () => {
    const choice = new CarrierChoice('auto');
    const time = (bytes: number) => bytes * 20;
    for (let run = 0; run < 400; run++) {
      const bytes = run % 2 === 0 ? 256 : 65_536;
      const carrier = choice.pick(bytes, run * 1e6);
      choice.ran(carrier, bytes, time(bytes) + (carrier === 'pool' ? HOP_NS : 0), run * 1e6);
    }
    expect([choice.pick(256, 1e12), choice.pick(65_536, 1e12)]).toEqual(['sync', 'thread']);
  });

  it('is moved back by one slow run, for longer each time', () => {
    const choice = new CarrierChoice('auto');
    play(choice, 50, () => 4e3);
    let nowNs = 1e9;
    let waitNs = firstWaitNs;
    for (let outlier = 0; outlier < 5; outlier++) {
      expect(choice.pick(256, nowNs)).toBe('sync');
      choice.ran('sync', 256, 50e6, nowNs);
      if (outlier > 0) waitNs *= 2;
      expect(choice.pick(256, nowNs + waitNs - 1)).not.toBe('sync');
      nowNs += waitNs;
      // Quick runs since then, on whatever carrier.
      for (let run = 0; run < 200; run++) choice.ran(choice.pick(256, nowNs), 256, 4e3, nowNs);
    }
    expect(waitNs).toBeLessThanOrEqual(longestWaitNs);
  });

  it('bounds how often the event loop is held past the limit, whatever runs take', () => {
    const timing = fc.oneof(fc.integer({ min: 1e3, max: 4e4 }), fc.integer({ min: 1e3, max: 5e7 }));
    fc.assert(
      fc.property(
        fc.array(timing, { minLength: 10, maxLength: 2000 }),
        fc.integer({ min: 1e3, max: 1e7 }),
        (times, everyNs) => {
          const used = play(new CarrierChoice('auto'), times.length, (run) => times[run] as number, everyNs);
          const overruns = used.filter(({ carrier, ns }) => carrier === 'sync' && ns > overrunNs);
          for (let i = 1; i < overruns.length; i++) {
            const apart = (overruns[i]?.atNs as number) - (overruns[i - 1]?.atNs as number);
            expect(apart).toBeGreaterThanOrEqual(Math.min(longestWaitNs, firstWaitNs * 2 ** (i - 1)));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keeps the time that synchronous runs take near the limit: mixed models leave', () => {
    fc.assert(
      fc.property(fc.integer({ min: shortNs * 2, max: overrunNs }), fc.integer({ min: 1, max: 4 }), (slowNs, every) => {
        const used = play(new CarrierChoice('auto'), 4000, (run) => (run % (every + 1) === 0 ? slowNs : 3e3));
        const held = used.slice(1000).filter(({ carrier, ns }) => carrier === 'sync' && ns > trialNs);
        expect(held.length).toBeLessThan(3000 * 0.1);
      }),
    );
  });

  it('does not flap: steady runs of any length change the carrier at most twice', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 500, max: 1e8 }),
        fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 500, maxLength: 3000 }),
        (ns, jitter) => {
          const used = play(
            new CarrierChoice('auto'),
            jitter.length,
            (run) => ns * (1 + 0.2 * (jitter[run] as number)),
            2e8,
          );
          const settled = used.slice(100);
          let changes = 0;
          for (let i = 1; i < settled.length; i++) if (settled[i]?.carrier !== settled[i - 1]?.carrier) changes++;
          expect(changes).toBeLessThanOrEqual(2);
          const { carrier } = settled.at(-1) as { carrier: CarrierName };
          if (ns * 1.2 < shortNs) expect(carrier).toBe('sync');
          if (ns > longNs) expect(carrier).toBe('thread');
          if (ns > trialNs) expect(carrier).not.toBe('sync');
        },
      ),
      { numRuns: 300 },
    );
  });
});
