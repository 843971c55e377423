import { allFamilies } from '../../src/insight/metrics-page.js';
import { seriesOf } from './scraped-series.js';

/** What of a scrape the catalogue of metrics does not say: names that it does not have, labels that a family does not declare. */
export function undeclaredIn(text: string): string[] {
  const families = new Map(allFamilies().map((family) => [family.name, family]));
  const wrong = new Set<string>();
  for (const { name, labels } of seriesOf(text)) {
    if (/^(nodejs|process)_/.test(name)) continue;
    const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''));
    const found = Object.keys(labels).filter((label) => label !== 'le');
    if (family === undefined) wrong.add(`${name} is not on the page: src/insight/metrics-page.ts`);
    else if (found.join() !== family.labels.join())
      wrong.add(`${name} has the labels ${found}, its Family declares ${family.labels} (the last argument)`);
  }
  return [...wrong];
}
