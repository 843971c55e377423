import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cliRun as cli } from '../../../test/support/cli-run.js';

const FOUR = '--curve 4,0.3 --instances 4 --requests 6000';

/** In a folder with `files`, which is there as long as `use` runs. */
async function beside(files: Readonly<Record<string, string>>, use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-simulate-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('penstock simulate', () => {
  it('prints the goodput and its share of the fluid bound, the same for the same seed', async () => {
    const line = `simulate ${FOUR} --slo-ms 17.2 --seed 11 --json`;
    const first = await cli(line);
    const figures = JSON.parse(first.out);
    expect(Object.keys(figures)).toEqual(
      expect.arrayContaining(['goodputPerSecond', 'fluidBoundPerSecond', 'p50Ms', 'p99Ms', 'refused']),
    );
    expect(figures.fluidBoundPerSecond).toBeCloseTo(9411.8, 0);
    expect(figures.shareOfFluidBound).toBeGreaterThan(0.9);
    expect(figures.inTime).toBeGreaterThanOrEqual(0.99 * 6000);
    expect((await cli(line)).out).toBe(first.out);
    expect((await cli(line.replace('--seed 11', '--seed 12'))).out).not.toBe(first.out);
  });

  it('shows at a fixed rate that a free instance which takes what waits is far from it', async () => {
    const at = async (policy: string) =>
      JSON.parse((await cli(`simulate ${FOUR} --slo-ms 8.6 --rate 4000 --policy ${policy} --json`)).out);
    const [own, pull] = [await at('penstock'), await at('pull')];
    expect(own.inTime).toBeGreaterThan(0.99 * 6000);
    expect(pull.inTime).toBeLessThan(0.6 * 6000);
  });

  it.each([
    ['4,0.3', 17.2],
    ['2,0.05', 8.2],
    ['0.2,2.7', 11.6],
    ['1:1.05,2:1.8,4:3.3,8:7.4', 10.5],
  ])(
    'loses nothing to refusing early where one instance takes %s',
    async (curve, sloMs) => {
      const line = `simulate --curve ${curve} --max-batch 256 --slo-ms ${sloMs} --requests 20000 --json`;
      const goodput = async (policy: string) =>
        JSON.parse((await cli(`${line} --policy ${policy}`)).out).shareOfFluidBound;
      const own = await goodput('penstock');
      for (const other of ['pull', 'pull-drop']) expect(own).toBeGreaterThan((await goodput(other)) - 0.02);
    },
    60_000,
  );

  it.each([
    ['4,0.3', 8.6, 4299],
    ['4,0.3', 17.2, 7529],
    ['4,0.3', 43, 9409],
    ['2,0.05', 4.1, 22222],
  ])(
    'keeps 99.99 % of what it promised where four instances take %s, at 80 % of what they could do within %d ms',
    async (curve, sloMs, rate) => {
      const line = `simulate --curve ${curve} --instances 4 --slo-ms ${sloMs} --rate ${rate} --requests 200000 --seed 2 --json`;
      const { requests, refused, refusedInQueue, late, inTime } = JSON.parse((await cli(line)).out);
      expect(refusedInQueue + late).toBeLessThanOrEqual(1e-4 * (requests - refused + refusedInQueue));
      expect(inTime).toBeGreaterThan(0.99 * requests);
    },
    60_000,
  );

  it.each([
    ['4,0.3', 8.6, 5373],
    ['4,0.3', 17.2, 9412],
    ['4,0.3', 43, 11778],
    ['2,0.05', 4.1, 30769],
    ['2,0.05', 8.2, 55573],
    ['2,0.05', 20.5, 70244],
  ])(
    'refuses at once where four instances that take %s are asked ten times what they can do within %d ms, from the first request on',
    async (curve, sloMs, boundPerSecond) => {
      const rate = 10 * boundPerSecond;
      const requests = Math.round((rate * 5 * sloMs) / 1000);
      const line = `simulate --curve ${curve} --instances 4 --slo-ms ${sloMs} --rate ${rate} --requests ${requests} --json`;
      const { inTime, refusalP99Ms } = JSON.parse((await cli(line)).out);
      expect(refusalP99Ms).toBe(0);
      expect(inTime).toBeGreaterThan((0.9 * requests) / 10);
    },
  );

  it('takes a crowd that can be answered within the SLO for no overload', async () => {
    // Two instances answer 571 a second within two seconds; six tenths of it come evenly, and 1,000 requests at once.
    const even = Array.from({ length: 12_000 }, (_, i) => (i + 1) / 343);
    const times = [...even, ...new Array<number>(1000).fill(10)].sort((a, b) => a - b);
    await beside({ times: times.join('\n') }, async (folder) => {
      const line =
        'simulate --curve 20,1 --max-batch 8 --instances 2 --slo-ms 1995 --arrivals times --rate 371.6 --json';
      expect(JSON.parse((await cli(line, folder)).out)).toMatchObject({ requests: 13_000, inTime: 13_000 });
    });
  });

  it.each([
    [10, 9, 8.6],
    [10, 20, 43],
  ])(
    'plans executions of seconds as those of milliseconds, at %i times the rate of batches of %i rows',
    async (load, rows, sloMs) => {
      const of = async (slower: number) => {
        const rate = ((load * 4 * rows) / (4 + 0.3 * rows) / slower) * 1000;
        const curve = `${4 * slower},${0.3 * slower}`;
        const line = `simulate --curve ${curve} --instances 4 --slo-ms ${sloMs * slower} --rate ${rate} --requests 20000 --json`;
        return JSON.parse((await cli(line)).out);
      };
      const [fast, slow] = [await of(1), await of(300)];
      expect(Math.abs(slow.inTime - fast.inTime)).toBeLessThan(0.01 * fast.inTime);
      expect(Math.abs(slow.refusedInQueue - fast.refusedInQueue)).toBeLessThan(50);
    },
  );

  it.each(['window', 'pull', 'pull-drop', 'aimd', 'symphony', 'penstock'])('knows the policy %s', async (policy) => {
    const { code, out } = await cli(`simulate --curve 1:4,8:6,16:9 --slo-ms 20 --requests 500 --policy ${policy}`);
    expect(code).toBe(0);
    expect(out).toMatch(/requests\/s with 99 % of all requests within 20 ms, [\d.]+ % of the fluid bound/);
  });

  it('replays recorded arrivals, and says what is wrong with a file', async () => {
    const times = Array.from({ length: 400 }, (_, i) => `${i / 100}`).join('\n');
    await beside({ times, broken: 'x\n' }, async (folder) => {
      const good = await cli('simulate --curve 2,0.05 --slo-ms 10 --arrivals times --rate 100 --json', folder);
      expect(JSON.parse(good.out)).toMatchObject({ requests: 400, inTime: 400 });
      const bad = await cli('simulate --curve 2,0.05 --slo-ms 10 --arrivals broken', folder);
      expect([bad.code, bad.err]).toEqual([2, expect.stringContaining('line 1: expected a time in seconds')]);
    });
  });

  it.each(['4', '4,x', '0,0', '1:0', '-1,2'])('refuses the curve %s', async (curve) => {
    const { code, err } = await cli(`simulate --curve=${curve} --slo-ms 10`);
    expect([code, err]).toEqual([2, expect.stringContaining('expected a,c in ms')]);
  });
});

describe('penstock simulate with several callers', () => {
  const OVERLOAD = '--curve 2,0.05 --instances 4 --slo-ms 8.2 --requests 60000';
  const json = async (line: string) => JSON.parse((await cli(`simulate ${line} --json`)).out);
  const shareInTime = (part: { inTime: number; requests: number }) => part.inTime / part.requests;

  it.each([80_000, 160_000, 540_000])(
    'sheds what matters less first, at %i requests/s',
    async (rate) => {
      const mix = '--criticality sheddable:0.3,critical:0.1,default:0.6';
      for (const seed of [1, 2]) {
        const mixed = await json(`${OVERLOAD} --rate ${rate} --seed ${seed} ${mix}`);
        expect(Object.keys(mixed.criticality)).toEqual(['critical', 'default', 'sheddable']);
        const { critical, default: usual, sheddable } = mixed.criticality;
        expect(shareInTime(critical)).toBeGreaterThan(shareInTime(usual));
        expect(shareInTime(usual)).toBeGreaterThan(shareInTime(sheddable));
        expect(critical.inTime + critical.late + critical.refused).toBe(critical.requests);
        // The capacity is about 55,000: what is critical fits into it.
        expect(shareInTime(critical)).toBeGreaterThan(0.9);
        // Shedding by level costs nothing of what is answered in time.
        const alike = await json(`${OVERLOAD} --rate ${rate} --seed ${seed}`);
        expect(mixed.goodputPerSecond).toBeGreaterThan(0.96 * alike.goodputPerSecond);
      }
    },
    60_000,
  );

  it('answers as much in time at ten times the capacity as at its best', async () => {
    const mix = '--criticality critical:0.1,default:0.6,sheddable:0.3';
    const best = await json(`${OVERLOAD} ${mix}`);
    const overloaded = await json(`${OVERLOAD} ${mix} --rate ${10 * best.fluidBoundPerSecond}`);
    expect(overloaded.goodputPerSecond).toBeGreaterThan(0.95 * best.goodputPerSecond);
  }, 120_000);

  it('keeps the goodput of a tenant within its share beside one that floods', async () => {
    const { tenants, criticality } = await json(`${OVERLOAD} --rate 160000 --tenants flood:0.9,calm:0.1`);
    expect(criticality).toBeUndefined();
    expect(shareInTime(tenants.calm)).toBeGreaterThan(0.95);
    expect(shareInTime(tenants.flood)).toBeLessThan(0.4);
    const weighted = await json(`${OVERLOAD} --rate 300000 --tenants a:0.5:3,b:0.5:1`);
    const ratio = weighted.tenants.a.inTime / weighted.tenants.b.inTime;
    expect(ratio).toBeGreaterThan(2.2);
    expect(ratio).toBeLessThan(3.8);
  }, 120_000);

  it.each(['--tenants=a', '--tenants=a:0', '--tenants=a:1,a:1', '--criticality=urgent:1', '--criticality=critical'])(
    'refuses %s',
    async (mix) => {
      const { code, err } = await cli(`simulate --curve 4,0.3 --slo-ms 10 ${mix}`);
      expect([code, err]).toEqual([2, expect.stringContaining('with commas between')]);
    },
  );
});

describe('penstock plan', () => {
  it('says how many instances a rate needs: one less misses it', async () => {
    const { out } = await cli('plan --rate 5000 --slo-ms 17.2 --curve 4,0.3 --requests 6000 --json');
    const { instances } = JSON.parse(out);
    const share = async (count: number) => {
      const line = `simulate --rate 5000 --slo-ms 17.2 --curve 4,0.3 --requests 6000 --instances ${count} --json`;
      return JSON.parse((await cli(line)).out).inTime / 6000;
    };
    expect(await share(instances)).toBeGreaterThanOrEqual(0.99);
    expect(await share(instances - 1)).toBeLessThan(0.99);
  });

  it('says why none is enough', async () => {
    const { code, err } = await cli('plan --rate 10 --slo-ms 3 --curve 4,0.3 --requests 100');
    expect([code, err]).toEqual([1, expect.stringContaining('one alone takes 4.3 ms')]);
  });
});
