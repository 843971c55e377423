import { type Command, InvalidArgumentError, Option } from 'commander';
import { COST_DIMENSIONS, COST_PERIODS, type CostDimension, type CostPeriod, instantOf } from '../../core/index.js';
import type { AdminFlags } from '../admin-client.js';
import { withAdminOptions } from '../admin-options.js';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';

export interface CostFlags extends AdminFlags {
  readonly by: CostPeriod;
  readonly group: readonly CostDimension[];
  readonly from?: number;
  readonly to?: number;
  readonly since?: number;
  readonly currency?: string;
  readonly stateDir?: string;
  readonly csv?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = `
Examples:
  penstock cost                                     the last 24 hours by model
  penstock cost --since 30d --by day --group tenant --csv > november.csv
  penstock cost --from 2026-11-01 --to 2026-12-01 --group model,version,kind
  penstock cost --state-dir /var/lib/penstock       of a gateway that does not run

Amounts: direct (what callers asked for), waste (padding, failed, retried, warm-up; canary and shadow of rollouts), idle. Lines of a
table add up to its total, and the total is the price of the devices times their time; src/insight/billing/COST.md says more.`;

/** Adds `cost`. */
export function addCost(program: Command, io: CliIo, exit: (code: number) => void): void {
  withAdminOptions(program.command('cost'), 'cost')
    .description(
      'Show what was spent: by model, version, tenant, route, kind of waste, device; what batching saved; a forecast',
    )
    .option('--csv', 'Print CSV, with all digits')
    .addOption(
      new Option('--by <period>', 'Periods that are told apart; days are those of UTC')
        .choices(COST_PERIODS)
        .default('total'),
    )
    .option(
      '--group <names>',
      `What is told apart: ${COST_DIMENSIONS.join(', ')}, with commas between; none`,
      parseGroup,
      ['model'],
    )
    .option('--from <instant>', 'Date or instant (ISO 8601, UTC where it has no zone), made a full hour', parseInstant)
    .option('--to <instant>', 'Likewise; default now', parseInstant)
    .addOption(
      new Option('--since <time>', 'From so long ago: 90m, 24h, 30d; default 24h')
        .argParser(parseAgo)
        .conflicts('from'),
    )
    .option('--currency <code>', 'Where the currency was changed: which one; default the one used last')
    .addOption(
      new Option(
        '--state-dir <folder>',
        'Read the state of a gateway that does not run, instead of asking one',
      ).conflicts(['url', 'token', 'tokenFile']),
    )
    .addHelpText('after', `${EXAMPLES}\n\n${EXIT_CODE_HELP}`)
    .action(async (flags: CostFlags) => {
      const { cost } = await import('./cost.js');
      exit(await cost(flags, io));
    });
}

function parseGroup(text: string): readonly CostDimension[] {
  if (text === '' || text === 'none') return [];
  return text.split(',').map((word) => {
    const found = COST_DIMENSIONS.find((name) => name === word.trim());
    if (found === undefined) throw new InvalidArgumentError(`expected some of ${COST_DIMENSIONS.join(', ')}, or none`);
    return found;
  });
}

function parseInstant(text: string): number {
  const ms = instantOf(text);
  if (ms === undefined)
    throw new InvalidArgumentError('expected a date or an instant, e.g. 2026-11-21 or 2026-11-21T14:00Z');
  return ms;
}

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function parseAgo(text: string): number {
  const match = /^(\d{1,6})([mhd])$/.exec(text);
  if (match === null || Number(match[1]) === 0) throw new InvalidArgumentError('expected e.g. 90m, 24h or 30d');
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}
