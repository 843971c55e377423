import { describe, expect, it } from 'vitest';
import { compiled } from '../../test/support/compiled.js';

const { Alarms } = await compiled<typeof import('./index.js')>('machine/index.js');

const nowNs = () => performance.now() * 1e6;

describe('alarms', () => {
  it('fire in the order of their instants, none before its own', async () => {
    const alarms = new Alarms();
    const fired: { ms: number; earlyNs: number }[] = [];
    const startNs = nowNs();
    const waits = [9.3, 0.2, 4.7, 0.01, 30, 4.6];
    await Promise.all(
      waits.map(
        (ms) =>
          new Promise<void>((resolve) => {
            const atNs = startNs + ms * 1e6;
            alarms.set(atNs, () => {
              fired.push({ ms, earlyNs: atNs - nowNs() });
              resolve();
            });
          }),
      ),
    );
    expect(fired.map(({ ms }) => ms)).toEqual([...waits].sort((a, b) => a - b));
    for (const { earlyNs } of fired) expect(earlyNs).toBeLessThanOrEqual(0);
  });

  it('do not fire once they are taken back, also by one that fires', async () => {
    const alarms = new Alarms();
    const fired: string[] = [];
    const atNs = nowNs() + 3e6;
    const takeBack = [alarms.set(atNs, () => fired.push('first'))];
    takeBack[0]?.();
    await new Promise<void>((resolve) => {
      alarms.set(atNs, () => {
        fired.push('second');
        takeBack[1]?.();
      });
      takeBack.push(alarms.set(atNs + 1, () => fired.push('third')));
      alarms.set(atNs + 1e6, resolve);
    });
    expect(fired).toEqual(['second']);
  });

  it('may be set by one that fires', async () => {
    const alarms = new Alarms();
    const startNs = nowNs();
    await new Promise<void>((resolve) => {
      let left = 20;
      const again = (): void => {
        if (left-- === 0) resolve();
        else alarms.set(nowNs() + 0.5e6, again);
      };
      again();
    });
    expect(nowNs() - startNs).toBeGreaterThanOrEqual(10e6);
  });
});
