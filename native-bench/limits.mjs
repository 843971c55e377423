/** Limits of bench-floors.json: `quick` for `npm run bench -- --quick`, `work` for `npm run bench:work`. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILE = join(dirname(fileURLToPath(import.meta.url)), 'bench-floors.json');

/** The limits of one of the two, by name of the scenario: `{ leastRatio, mostWork, .. }`. */
export function limitsOf(suite) {
  return JSON.parse(readFileSync(FILE, 'utf8'))[suite];
}

/** What of a scenario's figures is beyond its limits, in words; `most` and `least` go before a figure's name. */
export function beyond(figures, limits = {}) {
  const figureOf = (limit) => limit.replace(/^(least|most)(.)/, (_, __, first) => first.toLowerCase());
  return Object.entries(limits).flatMap(([limit, value]) => {
    const seen = figures[figureOf(limit)];
    const holds = limit.startsWith('least') ? seen >= value : seen <= value;
    return holds ? [] : [`${figures.scenario}: ${figureOf(limit)} is ${seen}, the limit is ${limit} ${value}`];
  });
}
