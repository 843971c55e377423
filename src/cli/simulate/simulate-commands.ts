import { type Command, InvalidArgumentError, Option } from 'commander';
import { CURVE_FORMS, type GivenCurve, readCurve } from '../../core/index.js';
import { type Mix, NO_MIX, POLICIES } from '../../simulation/index.js';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { countOfDigits, positive } from '../number-argument.js';
import { curveArgument } from './curve-argument.js';
import { criticalityMix, tenantMix } from './mix-argument.js';
import type { LoadOptions } from './simulate.js';

const count = countOfDigits(7);

/** As the parser leaves them: a flag that was not given is absent. */
type LoadFlags = Omit<LoadOptions, 'json' | keyof Mix> & Partial<Mix> & { readonly json?: boolean };

/** Adds `simulate` and `plan`. What they run is loaded when they are asked for. */
export function addSimulate(program: Command, io: CliIo, exit: (code: number) => void): void {
  const simulate = program
    .command('simulate')
    .description('Run the scheduler on a virtual clock: how many requests a second are answered within an SLO');
  withLoad(simulate, io)
    .option('--instances <count>', 'Executions at once', count, 1)
    .option('--rate <number>', 'One run at this rate, in requests a second, instead of searching the highest', positive)
    .addHelpText(
      'after',
      `\nExamples:\n  penstock simulate --curve 4,0.3 --instances 4 --slo-ms 17.2\n  penstock simulate --curve 1:4.3,8:6.4,32:13.6 --instances 2 --slo-ms 40 --arrivals mmpp --policy pull\n\n${EXIT_CODE_HELP}`,
    )
    .action(async (flags: LoadFlags & { readonly instances: number; readonly rate?: number }) => {
      const { simulate: run } = await import('./simulate.js');
      exit(await run({ ...NO_MIX, ...flags, json: flags.json === true, rate: flags.rate }, io));
    });
  const plan = program.command('plan').description('Say how many instances a rate within an SLO needs');
  withLoad(plan, io)
    .requiredOption('--rate <number>', 'Requests a second', positive)
    .addHelpText('after', `\nExample:\n  penstock plan --rate 5000 --slo-ms 20 --curve 4,0.3\n\n${EXIT_CODE_HELP}`)
    .action(async (flags: LoadFlags & { readonly rate: number }) => {
      const { plan: run } = await import('./simulate.js');
      exit(await run({ ...NO_MIX, ...flags, json: flags.json === true }, io));
    });
}

function withLoad(command: Command, io: CliIo): Command {
  return command
    .requiredOption(
      '--curve <a,c | ROWS:MS,... | FILE>',
      'Time of an execution in ms: a + c for each row, measured points, or a file of penstock tune',
      (word) => curve(tunedOrGiven(word, io)),
    )
    .requiredOption('--slo-ms <number>', 'A request shall be answered within so many ms', positive)
    .option('--max-batch <rows>', 'Most rows of one execution', count, 1024)
    .option('--arrivals <kind>', 'poisson, mmpp (bursts), or a file with one time in seconds a line', 'poisson')
    .option('--requests <count>', 'Requests of one run', count, 60_000)
    .option('--seed <number>', 'Of arrivals and execution times', count, 1)
    .addOption(
      new Option('--policy <name>', 'Way to schedule; all but penstock are for comparison')
        .choices(Object.keys(POLICIES))
        .default('penstock'),
    )
    .option('--jitter <share>', 'Execution times vary by this share, and one in 200 takes twice as long', share, 0)
    .option('--tenants <mix>', 'Who sends them: NAME:PART or NAME:PART:WEIGHT, with commas between', tenantMix)
    .option(
      '--criticality <mix>',
      'What they matter: LEVEL:PART, e.g. critical:0.1,default:0.6,sheddable:0.3',
      criticalityMix,
    )
    .option('--json', 'Print JSON');
}

function curve(text: string): GivenCurve {
  const given = readCurve(text);
  if (given === undefined) throw new InvalidArgumentError(`expected ${CURVE_FORMS}`);
  return given;
}

function tunedOrGiven(word: string, io: CliIo): string {
  try {
    return curveArgument(word, io.cwd);
  } catch (thrown) {
    throw new InvalidArgumentError((thrown as Error).message);
  }
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < 1))
    throw new InvalidArgumentError('expected a share from 0 to below 1');
  return value;
}
