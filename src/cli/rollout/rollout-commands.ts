import { type Command, InvalidArgumentError, Option } from 'commander';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { countOfDigits } from '../number-argument.js';
import { addJudge } from './judge-command.js';
import type { PowerFlags } from './power.js';
import { addSteering } from './steering-commands.js';

const count = countOfDigits(7);

/** Adds `rollout` and what is below it. What they run is loaded when they are asked for. */
export function addRollout(program: Command, io: CliIo, exit: (code: number) => void): void {
  const rollout = program.command('rollout').description('Releases of model versions');
  addSteering(rollout, io, exit);
  rollout
    .command('power')
    .description('Say how many requests a guard needs to stop a bad version, and to pass a good one, by simulation')
    .requiredOption('--baseline <rate>', 'Rate of bad requests of the version that serves, e.g. 0.005 or 0.5%', rate)
    .requiredOption('--candidate <rate>', 'Rate of bad requests of the new version', rate)
    .option('--share <share>', 'Share of the requests that go to the new version', openShare, 0.05)
    .option('--alpha <chance>', 'Chance of a false stop, and, apart, of a false pass', openShare, 0.01)
    .option('--max-ratio <factor>', 'A rate below so many times the one that serves is good enough', aboveOne, 2)
    .option('--max-difference <rate>', 'So is one less than this above it', openShare, 0.005)
    .option('--min-requests <count>', 'None passes on fewer requests of its own', count, 100)
    .option('--rows-per-batch <count>', 'Requests of a batch, which are all bad or all good', count, 1)
    .addOption(
      new Option(
        '--observe <unit>',
        'What counts once: each request, or each batch; default batch where it has several',
      ).choices(['request', 'batch']),
    )
    .option('--runs <count>', 'Releases to simulate', count, 400)
    .option('--max-requests <count>', 'Requests of the new version after which a release has no verdict', count, 20_000)
    .option('--seed <number>', 'Of all chance', count, 1)
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      `\nExamples:\n  penstock rollout power --baseline 0.5% --candidate 1.5%\n  penstock rollout power --baseline 1% --candidate 17% --share 50% --rows-per-batch 8\n\n${EXIT_CODE_HELP}`,
    )
    .action(async (flags: PowerFlags) => {
      const { power } = await import('./power.js');
      exit(power(flags, io));
    });
  addJudge(rollout, io, exit);
}

/** A number, or a percentage. */
function fraction(text: string): number {
  const match = /^(\d*\.?\d+(?:e-?\d+)?)(%?)$/i.exec(text.trim());
  return match === null ? Number.NaN : match[2] === '%' ? Number(match[1]) / 100 : Number(match[1]);
}

function rate(text: string): number {
  const value = fraction(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('expected a rate from 0 to 1, or from 0% to 100%');
  return value;
}

function openShare(text: string): number {
  const value = fraction(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('expected a number between 0 and 1, or 0% and 100%');
  return value;
}

function aboveOne(text: string): number {
  const value = Number(text);
  if (!(value > 1 && value <= 1000)) throw new InvalidArgumentError('expected a number above 1, at most 1000');
  return value;
}
