import { type Command, InvalidArgumentError } from 'commander';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { countOfDigits, positive } from '../number-argument.js';

interface ReplayFlags {
  readonly capture: readonly string[];
  readonly candidate: string;
  readonly baseline?: string;
  readonly model?: string;
  readonly server?: string;
  readonly minAgreement: number;
  readonly maxFailed: number;
  readonly maxLatencyRatio?: number;
  readonly absolute: number;
  readonly relative: number;
  readonly concurrency: number;
  readonly most: number;
  readonly json?: boolean;
}

/** Adds `replay`. What it runs is loaded when it is asked for. */
export function addReplay(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('replay')
    .description('Send captured requests to a candidate again and say how its answers differ')
    .argument('[models...]', 'Folders laid out NAME/VERSION/model.onnx, for the gateway that it starts')
    .usage('--capture FILE --candidate VERSION [DIR ...] [flags of serve]')
    .requiredOption(
      '--capture <file>',
      'Capture file, or folder of them; may be given several times',
      (file: string, files: readonly string[] | undefined) => [...(files ?? []), file],
    )
    .requiredOption('--candidate <version|folder>', 'A version of the model, or another folder of models')
    .option('--baseline <version>', 'Version to time beside the candidate, each request on both in turn')
    .option('--model <name>', 'Model whose requests are sent; default that of the first row')
    .option('--server <url>', 'HTTP address of a gateway that runs; default: one is started on this machine')
    .option('--min-agreement <share>', 'Least share of answers that agree', share, 1)
    .option('--max-failed <count>', 'Most requests that may fail', notNegative, 0)
    .option('--max-latency-ratio <factor>', "Most p50 of the candidate, in times of the baseline's", positive)
    .option('--absolute <difference>', 'Floats agree where they differ by at most this', notNegative, 1e-5)
    .option('--relative <part>', 'and this part of the captured value', notNegative, 1e-3)
    .option('--concurrency <count>', 'Requests in flight', countOfDigits(3), 4)
    .option('--most <rows>', 'Most rows of the captures that are read', countOfDigits(9), 1_000_000)
    .option('--json', 'Print JSON')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      'after',
      `\nExamples:\n  penstock replay --capture captures --candidate 2 --baseline 1 ./models\n  penstock replay --capture day.parquet --candidate ./new-models --min-agreement 0.999\n\n${EXIT_CODE_HELP}`,
    )
    .action(async (_models: string[], flags: ReplayFlags, command: Command) => {
      const { replay } = await import('./replay.js');
      const { capture: captures, absolute, relative, concurrency, json, model, baseline, server } = flags;
      exit(
        await replay(
          {
            ...flags,
            captures,
            model,
            baseline,
            server,
            maxLatencyRatio: flags.maxLatencyRatio,
            tolerances: { absolute, relative },
            concurrency: Math.max(1, concurrency),
            json: json === true,
          },
          command.args,
          io,
        ),
      );
    });
}

function share(text: string): number {
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('expected a share from 0 to 1, or from 0% to 100%');
  return value;
}

function notNegative(text: string): number {
  const value = Number(text);
  if (!(value >= 0) || text.trim() === '') throw new InvalidArgumentError('expected a number from 0 on');
  return value;
}
