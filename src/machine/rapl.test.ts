import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PackageEnergy } from './rapl.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-rapl-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A zone as Linux has it in `/sys/class/powercap`. */
function zone(place: string, name: string, energyUj: number): void {
  mkdirSync(join(folder, place), { recursive: true });
  writeFileSync(join(folder, place, 'name'), `${name}\n`);
  writeFileSync(join(folder, place, 'energy_uj'), `${energyUj}\n`);
  writeFileSync(join(folder, place, 'max_energy_range_uj'), '262143328850\n');
}

it('adds up the packages of the machine, without their parts', () => {
  zone('intel-rapl:0', 'package-0', 1_500_000);
  zone('intel-rapl:0:0', 'core', 700_000);
  zone('intel-rapl:1', 'package-1', 2_000_000);
  zone('intel-rapl:2', 'psys', 9_000_000);
  mkdirSync(join(folder, 'dtpm'));
  expect(new PackageEnergy(folder).joules()).toBe(3.5);
});

it('goes on where a counter begins anew', () => {
  zone('intel-rapl:0', 'package-0', 262_143_000_000);
  const energy = new PackageEnergy(folder);
  const before = energy.joules()!;
  zone('intel-rapl:0', 'package-0', 671_150);
  expect(energy.joules()! - before).toBeCloseTo(1, 5);
});

it('tells nothing where there is no counter, or it cannot be read any more', () => {
  expect(new PackageEnergy(join(folder, 'nothing')).joules()).toBeUndefined();
  zone('intel-rapl:0', 'package-0', 5);
  const energy = new PackageEnergy(folder);
  expect(energy.joules()).toBeDefined();
  rmSync(join(folder, 'intel-rapl:0/energy_uj'));
  expect(energy.joules()).toBeUndefined();
});
