import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const POWERCAP = '/sys/class/powercap';

interface Zone {
  readonly file: string;
  /** The counter begins anew after so many microjoules. */
  readonly rangeUj: number;
  lastUj: number;
  wraps: number;
}

/**
 * Energy of the processor packages of this machine, by the counters of Linux (RAPL). It is that of all that runs on the machine. Read at least
 * every few minutes: the counters begin anew after some 260 kJ.
 */
export class PackageEnergy {
  readonly #zones: readonly Zone[];

  /** `folder`: of `powercap`. */
  constructor(folder = POWERCAP) {
    this.#zones = packagesIn(folder);
  }

  /** Joules since some instant before; undefined where there is no counter, or none that this user may read. */
  joules(): number | undefined {
    if (this.#zones.length === 0) return undefined;
    let sumUj = 0;
    for (const zone of this.#zones) {
      const uj = numberIn(zone.file);
      if (uj === undefined) return undefined;
      if (uj < zone.lastUj) zone.wraps++;
      zone.lastUj = uj;
      sumUj += uj + zone.wraps * zone.rangeUj;
    }
    return sumUj / 1e6;
  }
}

/** Whole packages: cores and memory controllers are parts of them (`intel-rapl:0:1`). AMD's have the same names. */
function packagesIn(folder: string): Zone[] {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => /^intel-rapl:\d+$/.test(name));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const file = join(folder, name, 'energy_uj');
    const [lastUj, rangeUj] = [numberIn(file), numberIn(join(folder, name, 'max_energy_range_uj'))];
    const isPackage = textIn(join(folder, name, 'name'))?.startsWith('package') ?? false;
    return isPackage && lastUj !== undefined && rangeUj !== undefined ? [{ file, rangeUj, lastUj, wraps: 0 }] : [];
  });
}

function numberIn(file: string): number | undefined {
  const text = textIn(file);
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

function textIn(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined; // not there, or for root alone
  }
}
