import { InvalidArgumentError } from 'commander';
import { CRITICALITIES, criticalityNamed } from '../../core/index.js';
import type { Mix } from '../../simulation/index.js';

/** `--tenants`: `NAME:PART[:WEIGHT],...`; parts are made to add up to 1. */
export function tenantMix(text: string): Mix['tenants'] {
  const rows = text.split(',').map((word, i) => {
    const [, name, part, weight] = /^([^:]{1,64}):([\d.]+)(?::([\d.]+))?$/.exec(word) ?? [];
    const tenant = { name: name ?? '', weight: Number(weight ?? 1), index: i + 2 };
    return { tenant, part: Number(part) };
  });
  const names = new Set(rows.map(({ tenant }) => tenant.name));
  const fits = rows.every(({ tenant, part }) => tenant.name !== '' && tenant.weight > 0 && part > 0);
  if (!fits || names.size !== rows.length)
    throw new InvalidArgumentError('expected NAME:PART or NAME:PART:WEIGHT, with commas between, each name once');
  return ofWhole(rows);
}

/** `--criticality`: `LEVEL:PART,...`; parts are made to add up to 1. */
export function criticalityMix(text: string): Mix['criticality'] {
  const rows = text.split(',').map((word) => {
    const [, name, part] = /^([^:]+):([\d.]+)$/.exec(word) ?? [];
    return { level: criticalityNamed(name ?? ''), part: Number(part) };
  });
  const known = rows.flatMap(({ level, part }) => (level === undefined || !(part > 0) ? [] : [{ level, part }]));
  if (known.length !== rows.length || new Set(known.map(({ level }) => level)).size !== rows.length)
    throw new InvalidArgumentError(
      `expected LEVEL:PART with commas between, each level once, of ${CRITICALITIES.join(', ')}`,
    );
  return ofWhole(known);
}

function ofWhole<T extends { readonly part: number }>(rows: readonly T[]): T[] {
  const whole = rows.reduce((sum, { part }) => sum + part, 0);
  return rows.map((row) => ({ ...row, part: row.part / whole }));
}
