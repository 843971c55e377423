import { EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { textTable } from '../text-table.js';
import { type SloFacts, V2Client } from '../v2-client.js';

/** `penstock slo status`: how the SLOs of one gateway stand, as it knows itself. */
export async function sloStatus(
  { url, json }: { readonly url: string; readonly json: boolean },
  io: CliIo,
): Promise<number> {
  const report = await new V2Client(url).slos();
  if (json) {
    io.stdout.write(`${JSON.stringify(report)}\n`);
    return EXIT_CODES.done;
  }
  const { slos, since_ms: sinceMs } = report;
  if (slos.length === 0) {
    io.stdout.write('this gateway has no SLOs; src/insight/slo/SLO.md says how they are set\n');
    return EXIT_CODES.done;
  }
  io.stdout.write(textTable(HEADER, slos.map(rowOf)));
  io.stdout.write(
    `\nSince ${new Date(sinceMs).toISOString()}, when this process began; Prometheus has what was before.\n`,
  );
  return EXIT_CODES.done;
}

const HEADER = ['SLO', 'STATE', 'TARGET', 'GOOD', 'EVENTS', 'BUDGET LEFT', 'BURN 5m', '1h', '6h', '3d', 'PROMISE'];

function rowOf(slo: SloFacts): string[] {
  const { name, state, target, window_days: days, events, bad, error_budget_remaining: left, burn_rates: burn } = slo;
  const rate = (window: string) => (events === 0 ? '-' : String(Number((burn[window] ?? 0).toPrecision(3))));
  return [
    name,
    state,
    `${percent(target)} in ${days}d`,
    events === 0 ? '-' : percent((events - bad) / events),
    String(events),
    events === 0 ? '-' : percent(left),
    rate('5m'),
    rate('1h'),
    rate('6h'),
    rate('3d'),
    slo.missing ?? slo.promise,
  ];
}

/** With as many digits as matter near 100 %. */
function percent(share: number): string {
  return `${Number((share * 100).toFixed(3))}%`;
}
