import { type Command, InvalidArgumentError } from 'commander';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { countOfDigits, positive } from '../number-argument.js';
import type { TuneOptions } from './tune.js';

const count = countOfDigits(15);

/** As the parser leaves them: a flag that was not given is absent. */
type TuneFlags = Omit<TuneOptions, 'model' | 'repositories' | 'shapes' | 'json' | 'write'> & {
  readonly shape?: readonly string[];
  readonly json?: boolean;
  readonly write?: boolean;
};

/** Adds `tune`. What it runs is loaded when it is asked for. */
export function addTune(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('tune')
    .description('Measure a model by batch size, instances and threads, and say how to run it and what to expect')
    .argument('<model>', 'Name of the model, or an .onnx file')
    .argument('[repositories...]', 'Folders laid out NAME/VERSION/model.onnx; default those of penstock.yaml')
    .option('--url <url>', 'Measure nothing: take what the running gateway at this address has learned of the model')
    .option('--version <number>', 'Version of the model; default the highest', count)
    .option('--slo-ms <number>', "Requests shall be answered within so many ms; default the model's slo_ms", positive)
    .option('--seconds <number>', 'Time to measure in, about, over all settings', positive, 20)
    .option('--instances <list>', 'Executions at once to try, e.g. 1,2,4; default by the cores', counts)
    .option('--threads <list>', 'Threads of one execution to try; default by the cores', counts)
    .option('--max-batch <rows>', "Most rows of one execution; default the model's max_batch_size", count)
    .option(
      '--shape <NAME=sizes>',
      'Shape of an input, batch axis included, e.g. ids=1,32; needed where the model leaves axes open and has no model_warmup',
      (word: string, words: string[] | undefined) => [...(words ?? []), word],
    )
    .option('--json', 'Print JSON: the form that simulate and plan read with --curve FILE')
    .option('--out <file>', 'Write that JSON to a file')
    .option('--html <file>', 'Write a report with plots, as one HTML page')
    .option('--write', "Put the suggested config into the model's folder; never over a config that is there")
    .addHelpText(
      'after',
      `
Runs the model here, by the same code as serve, on its model_warmup or random data; nothing is served. The curve is shown
with the mean, the 90 % quantile that the scheduler plans with, and rows a second with all instances at work.

Examples:
  penstock tune digits ./models
  penstock tune ./resnet.onnx --max-batch 32 --slo-ms 50 --html resnet.html
  penstock tune bert ./models --shape ids=1,32 --shape mask=1,32 --instances 1,2 --seconds 60
  penstock tune digits --url http://127.0.0.1:8000 --slo-ms 20
  penstock tune digits ./models --out digits.json && penstock plan --curve digits.json --rate 5000 --slo-ms 20

${EXIT_CODE_HELP}`,
    )
    .action(async (model: string, repositories: string[], flags: TuneFlags) => {
      const { tune } = await import('./tune.js');
      const { json = false, write = false, shape = [], ...given } = flags;
      exit(await tune({ model, repositories, ...given, json, write, shapes: shape }, io));
    });
}

function counts(text: string): number[] {
  const numbers = text.split(',').map(count);
  if (numbers.some((number) => number > 1024) || numbers.length > 16)
    throw new InvalidArgumentError('expected at most 16 numbers from 1 to 1024');
  return [...new Set(numbers)];
}
