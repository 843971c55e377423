import { existsSync } from 'node:fs';
import type { CostReport } from '../../core/index.js';
import { costReport } from '../../insight/index.js';
import { StateStore, stateFile } from '../../store/index.js';
import { AdminClient } from '../admin-client.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import type { CostFlags } from './cost-command.js';
import { costCsv } from './cost-csv.js';
import { costText } from './cost-text.js';

/** `penstock cost`: of a gateway that runs, or of the state that one left. */
export async function cost(flags: CostFlags, io: CliIo): Promise<number> {
  if (flags.csv === true && flags.json === true)
    throw new CliError('--csv and --json: only one of them can be printed', EXIT_CODES.usage);
  const nowMs = Date.now();
  const fromMs = flags.from ?? (flags.since === undefined ? undefined : nowMs - flags.since);
  const report =
    flags.stateDir === undefined
      ? await askedFor(flags, fromMs, io)
      : await readFrom(flags.stateDir, flags, fromMs, nowMs, io);
  if (flags.json === true) io.stdout.write(`${JSON.stringify(report)}\n`);
  else io.stdout.write(flags.csv === true ? costCsv(report) : costText(report));
  return EXIT_CODES.done;
}

function askedFor(flags: CostFlags, fromMs: number | undefined, io: CliIo): Promise<CostReport> {
  const query = new URLSearchParams({ by: flags.by, group: flags.group.join(',') });
  if (fromMs !== undefined) query.set('from', new Date(fromMs).toISOString());
  if (flags.to !== undefined) query.set('to', new Date(flags.to).toISOString());
  if (flags.currency !== undefined) query.set('currency', flags.currency);
  return new AdminClient(flags, io).get<CostReport>(`/v2/cost?${query}`);
}

async function readFrom(
  folder: string,
  { by, group, to, currency }: CostFlags,
  fromMs: number | undefined,
  nowMs: number,
  io: CliIo,
): Promise<CostReport> {
  const file = stateFile({ folder, repositories: [], cwd: io.cwd, xdgStateHome: undefined });
  if (file === undefined || !existsSync(file))
    throw new CliError(
      `${folder}: there is no state.db in it; give the folder that serve has as --state-dir`,
      EXIT_CODES.usage,
    );
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const store = new StateStore({ file, make: 'needed', log: silent });
  try {
    return await costReport(
      store.costs,
      { fromMs, toMs: to, by, group, currency },
      { nowMs, currency: undefined, live: false, budgets: [], pause: async () => {} },
    );
  } finally {
    store.close();
  }
}
