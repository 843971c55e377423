import { type Command, InvalidArgumentError, Option } from 'commander';
import { CliError, EXIT_CODE_HELP, EXIT_CODES } from './exit-codes.js';
import { LAYOUTS, type Layout } from './image-input.js';
import type { CliIo } from './io.js';

const DEFAULT_URL = 'http://127.0.0.1:8000';

/** Commands that ask a running gateway. */
export function addClientCommands(program: Command, io: CliIo, exit: (code: number) => void): void {
  addInfer(program, io, exit);
  addFeedback(program, io, exit);
  addLatency(program, io, exit);
  addModels(program, io, exit);
  addCapture(program, io, exit);
}

interface InferFlags {
  readonly url: string;
  readonly version?: string;
  readonly input?: readonly string[];
  readonly output?: 'json' | 'table' | 'npy';
  readonly out?: string;
  readonly layout?: Layout;
  readonly scale?: number;
  readonly resize: 'nearest' | 'area';
}

function addInfer(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('infer')
    .description('Send one request to a running gateway and print its answer')
    .argument('<model>', 'Name of the model')
    .argument('[files...]', 'Input files, for short: FILE is --input @FILE')
    .option('--url <url>', 'HTTP address of the gateway', DEFAULT_URL)
    .option(
      '--input <NAME=@file|NAME=json>',
      'An input: .npy, .json, .png, .jpg, .webp, .gif, .bin file, or JSON; NAME= may be left out where there is one',
      (word: string, words: string[] | undefined) => [...(words ?? []), word],
    )
    .option('--version <number>', 'Version of the model; default the highest that is ready')
    .addOption(
      new Option('--output <form>', 'Form of the answer; default table on a terminal, else json').choices([
        'json',
        'table',
        'npy',
      ]),
    )
    .option('--out <path>', 'With --output npy: file, or folder for several outputs; default standard output')
    .addOption(
      new Option('--layout <axes>', 'Images: axes of the input, where its shape does not tell').choices(LAYOUTS),
    )
    .option(
      '--scale <factor>',
      'Images: factor of the values 0..255, e.g. 1/255; default 1/255 for floating point, else 1',
      parseScale,
    )
    .addOption(
      new Option('--resize <how>', 'Images: how they are brought to the size of the input')
        .choices(['area', 'nearest'])
        .default('area'),
    )
    .addHelpText(
      'after',
      `\nExamples:\n  penstock infer digits sample.npy\n  penstock infer digits --input pixels=@digit.png --scale 16/255\n  penstock infer add --input a=[1,2] --input b=[3,4] --output json\n\n${EXIT_CODE_HELP}`,
    )
    .action(async (model: string, files: string[], flags: InferFlags) => {
      const image = { layout: flags.layout, scale: flags.scale, resize: flags.resize };
      const { infer } = await import('./infer.js');
      const inputs = [...(flags.input ?? []), ...files.map((file) => `@${file}`)];
      exit(
        await infer(
          model,
          { url: flags.url, version: flags.version, inputs, output: flags.output, out: flags.out, image },
          io,
        ),
      );
    });
}

function addFeedback(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('feedback')
    .description('Tell a running gateway what was learned of predictions after they were made')
    .argument('[file]', 'File of one JSON object a line; default standard input')
    .option('--url <url>', 'HTTP address of the gateway', DEFAULT_URL)
    .option('--token <token>', 'Token with the scope feedback; default $PENSTOCK_TOKEN')
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      `\nA line: {"id": "REQUEST", "model": "NAME", and one of "correct": true, "label": 7 (or "cat"), "metric": "revenue" and "value": 1.5}\n\n${EXIT_CODE_HELP}`,
    )
    .action(async (file: string | undefined, flags: { url: string; token?: string; json?: boolean }) => {
      const { feedback } = await import('./feedback.js');
      const token = flags.token ?? io.env.PENSTOCK_TOKEN;
      exit(await feedback({ url: flags.url, file, token, json: flags.json === true }, io));
    });
}

interface LatencyFlags {
  readonly url?: readonly string[];
  readonly over?: number;
  readonly json?: boolean;
}

function addLatency(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('latency')
    .description('Show quantiles of the time that requests took, by model version, over one or more replicas')
    .argument('[model]', 'Name of the model; default every one that serves')
    .option(
      '--url <url>',
      `HTTP address of a gateway; give it once for each replica (default ${DEFAULT_URL})`,
      (url: string, urls: readonly string[] | undefined) => [...(urls ?? []), url],
    )
    .option(
      '--over <seconds>',
      'Only of requests answered in so many seconds from now; default all so far',
      parseSeconds,
    )
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      `\nExample:\n  penstock latency --url http://replica-1:8000 --url http://replica-2:8000 --over 10\n\n${EXIT_CODE_HELP}`,
    )
    .action(async (model: string | undefined, { url, over, json }: LatencyFlags) => {
      const { latency } = await import('./latency.js');
      exit(await latency({ urls: url ?? [DEFAULT_URL], model, overSeconds: over, json: json === true }, io));
    });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds > 0 && seconds <= 3600))
    throw new InvalidArgumentError('expected seconds, above 0 and up to 3600');
  return seconds;
}

function addModels(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('models')
    .description('List the models of a running gateway and their states')
    .option('--url <url>', 'HTTP address of the gateway', DEFAULT_URL)
    .option('--json', 'Print JSON')
    .action(async (flags: { url: string; json?: boolean }) => {
      const { models } = await import('./models.js');
      exit(await models({ url: flags.url, json: flags.json === true }, io));
    });
}

function addCapture(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('capture')
    .description('Show which requests a running gateway captures, or capture so many percent of those of a model')
    .argument('[model]', 'Name of the model; * = every model that is not named')
    .argument('[percent]', 'Percent of its requests, until the next start; 0 = none', parsePercent)
    .option('--url <url>', 'Address of the admin API', 'http://127.0.0.1:8003')
    .option('--token <token>', 'Token with the scope admin; default $PENSTOCK_TOKEN')
    .option('--json', 'Print JSON')
    .addHelpText('after', `\nExample:\n  penstock capture digits 5\n\n${EXIT_CODE_HELP}`)
    .action(
      async (
        model: string | undefined,
        percent: number | undefined,
        flags: { url: string; token?: string; json?: boolean },
      ) => {
        if (model !== undefined && percent === undefined)
          throw new CliError('how many percent of the requests? e.g. penstock capture digits 5', EXIT_CODES.usage);
        const { capture } = await import('./capture.js');
        const token = flags.token ?? io.env.PENSTOCK_TOKEN;
        const change = model === undefined || percent === undefined ? undefined : { model, percent };
        exit(await capture({ url: flags.url, token, change, json: flags.json === true }, io));
      },
    );
}

function parsePercent(text: string): number {
  const percent = Number(text.replace(/\s*%$/, ''));
  if (text.trim() === '' || !(percent >= 0 && percent <= 100))
    throw new InvalidArgumentError('expected a number from 0 to 100');
  return percent;
}

function parseScale(text: string): number {
  const match = /^([\d.]+(?:e-?\d+)?)(?:\/([\d.]+))?$/i.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) / Number(match[2] ?? 1);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('expected a number or a fraction, e.g. 1/255');
  return value;
}
