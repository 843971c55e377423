import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { jsonSchema, referencePage } from '../config/index.js';
import { parseVersion, ServingError } from '../core/index.js';
import { addBench } from './bench/index.js';
import { addCost } from './cost/index.js';
import { CliError, EXIT_CODE_HELP, EXIT_CODES } from './exit-codes.js';
import { LAYOUTS, type Layout } from './image-input.js';
import type { CliIo } from './io.js';
import { addReplay } from './replay/index.js';
import { addRollout } from './rollout/index.js';
import { addRoutes } from './routes/index.js';
import { serve } from './serve.js';
import { serveFlagsHelp } from './serve-help.js';
import { addSimulate } from './simulate/index.js';
import { addSlo } from './slo/index.js';
import { addToken } from './token/index.js';
import { addTune } from './tune/index.js';

const DEFAULT_URL = 'http://127.0.0.1:8000';

// Commands beside `serve` are loaded when they are asked for: what they bring (image readers, probes) is not for a gateway
// that starts.

/** Runs one command line (the words after the program's name); resolves to the exit code, never rejects. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = EXIT_CODES.done;
  const program = buildProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    return failureCode(thrown, io);
  }
}

/** Tells what went wrong and gives the exit code for it. */
function failureCode(thrown: unknown, io: CliIo): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
  if (thrown instanceof CliError) {
    io.stderr.write(`penstock: ${thrown.message}\n`);
    return thrown.exitCode;
  }
  if (thrown instanceof ServingError) {
    io.stderr.write(`penstock: ${thrown.message}\n`);
    return thrown.reason === 'MALFORMED_REQUEST' ? EXIT_CODES.usage : EXIT_CODES.failed;
  }
  // Not foreseen: the stack is what a report of it needs.
  io.stderr.write(`penstock: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
  return EXIT_CODES.failed;
}

function buildProgram(io: CliIo, exit: (code: number) => void): Command {
  const program = new Command('penstock')
    .description('Serves models over HTTP, WebSocket and gRPC, in batches')
    .version(io.version, '-V, --version', 'Print the version')
    .helpOption('-h, --help', 'Print this help')
    .helpCommand('help [command]', 'Print the help of a command')
    .addHelpText('after', `\n${EXIT_CODE_HELP}`)
    // So that `infer --version 2` means the model's.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text.replace(/^error: /, 'penstock: ')),
    });
  addServe(program, io, exit);
  addGate(program, io, exit);
  addInfer(program, io, exit);
  addFeedback(program, io, exit);
  addLatency(program, io, exit);
  addOthers(program, io, exit);
  addSigning(program, io, exit);
  addCapture(program, io, exit);
  addReplay(program, io, exit);
  addBench(program, io, exit);
  addSimulate(program, io, exit);
  addRollout(program, io, exit);
  addRoutes(program, io, exit);
  addSlo(program, io, exit);
  addCost(program, io, exit);
  addToken(program, io, exit);
  addTune(program, io, exit);
  return program;
}

/** `serve` and `validate` take the flags of the server's schema, read by its own reader: it knows Triton's flags too. */
function addServe(program: Command, io: CliIo, exit: (code: number) => void): void {
  const takesFlags = (name: string, description: string) =>
    program
      .command(`${name}`)
      .description(description)
      .argument('[models...]', 'Folders laid out NAME/VERSION/model.onnx, or .onnx files')
      .usage('[DIR | model.onnx ...] [flags]')
      .allowUnknownOption()
      .allowExcessArguments()
      .addHelpText(
        'after',
        () =>
          `\n${serveFlagsHelp()}\n\nAll settings, also those of models: src/config/REFERENCE.md (penstock config-reference)\n\n${EXIT_CODE_HELP}`,
      );
  takesFlags('serve', 'Serve models until told to stop').action(
    async (_models: string[], _options: object, command: Command) => exit(await serve(command.args, io)),
  );
  takesFlags('validate', 'Load and warm every model as serve would, open no port, and say which can be served')
    .option('--json', 'Print JSON')
    .action(async (_models: string[], options: { json?: boolean }, command: Command) => {
      const { validate } = await import('./validate.js');
      exit(await validate([...command.args, ...(options.json === true ? ['--json'] : [])], io));
    });
}

interface GateFlags {
  readonly version: number;
  readonly baseline?: number;
  readonly json?: boolean;
}

function addGate(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('gate')
    .description('Say whether a version of a model passes its gates (golden set, model card), as serve would ask it')
    .argument('<model>', 'Name of the model')
    .argument('[models...]', 'Folders laid out NAME/VERSION/model.onnx')
    .usage('MODEL [DIR ...] --version N [--baseline N] [flags of serve]')
    .requiredOption('--version <number>', 'The version', parseVersion)
    .option('--baseline <number>', 'The version that serves, for limits beside it', parseVersion)
    .option('--json', 'Print JSON')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText('after', `\nExample:\n  penstock gate digits ./models --version 2 --baseline 1\n\n${EXIT_CODE_HELP}`)
    .action(async (model: string, _models: string[], { version, baseline, json }: GateFlags, command: Command) => {
      const { gate } = await import('./gate.js');
      exit(await gate({ model, version, baseline, json: json === true }, command.args.slice(1), io));
    });
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
      'An input: .npy, .json, .png, .jpg, .bin file, or JSON; NAME= may be left out where there is one',
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

function addSigning(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('sign')
    .description('Sign the files of a model version (Ed25519, as minisign does), or make a key to sign with')
    .argument('[version]', 'Folder of the version, e.g. models/digits/2')
    .option('--key <file>', 'Private key (PKCS#8 in PEM)')
    .option('--new-key <file>', 'Make a private key here, and its public one in FILE.pub')
    .action(async (version: string | undefined, flags: { key?: string; newKey?: string }) => {
      const { sign } = await import('./signing.js');
      exit(await sign({ version, key: flags.key, newKey: flags.newKey }, io));
    });
  program
    .command('verify')
    .description('Say whether the files of a model version are those that were signed')
    .argument('<version>', 'Folder of the version, e.g. models/digits/2')
    .requiredOption(
      '--public-key <file>',
      'Public key (minisign); may be given several times',
      (file: string, files: readonly string[] | undefined) => [...(files ?? []), file],
    )
    .action(async (version: string, flags: { publicKey: readonly string[] }) => {
      const { verify } = await import('./signing.js');
      exit(await verify({ version, keys: flags.publicKey }, io));
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

function addOthers(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('models')
    .description('List the models of a running gateway and their states')
    .option('--url <url>', 'HTTP address of the gateway', DEFAULT_URL)
    .option('--json', 'Print JSON')
    .action(async (flags: { url: string; json?: boolean }) => {
      const { models } = await import('./models.js');
      exit(await models({ url: flags.url, json: flags.json === true }, io));
    });
  program
    .command('doctor')
    .description('Say whether this machine can serve, and what is missing')
    .option('--json', 'Print JSON')
    .action(async (flags: { json?: boolean }) => {
      const { doctor } = await import('./doctor.js');
      exit(await doctor({ json: flags.json === true }, io));
    });
  program
    .command('prune')
    .description('Show (--yes: remove) what the installed packages hold for other platforms and releases of Node')
    .option('--yes', 'Remove it; npm ci brings it back')
    .option('--json', 'Print JSON')
    .action(async (flags: { yes?: boolean; json?: boolean }) => {
      const { prune } = await import('./prune.js');
      exit(prune({ yes: flags.yes === true, json: flags.json === true }, io));
    });
  program
    .command('gpu-check')
    .description('Prove that CUDA runs models here with the answers of the CPU, and time both')
    .option('--json', 'Print JSON')
    .option('--out <file>', 'Write the report to a file too, as JSON')
    .option('--device <number>', 'GPU, as CUDA counts them', parseCount, 0)
    .option('--cpu-threads <count>', 'Threads of one execution on the CPU; 0 = all cores', parseCount, 1)
    .action(async (flags: { json?: boolean; out?: string; device: number; cpuThreads: number }) => {
      const { gpuCheck } = await import('./gpu-check/index.js');
      const { json, out, device: deviceId, cpuThreads } = flags;
      exit(await gpuCheck({ json: json === true, out, deviceId, cpuThreads }, io));
    });
  program
    .command('version')
    .description('Print the version')
    .option('--json', 'Print JSON')
    .action((flags: { json?: boolean }) =>
      io.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ version: io.version, node: process.versions.node })}\n`
          : `${io.version}\n`,
      ),
    );
  program
    .command('config-reference', { hidden: true })
    .description('Print the reference of all settings (Markdown), or their JSON Schemas')
    .option('--json', 'Print the JSON Schemas')
    .action((flags: { json?: boolean }) =>
      io.stdout.write(flags.json === true ? `${JSON.stringify(jsonSchema(), undefined, 2)}\n` : referencePage()),
    );
  program
    .command('metrics-reference', { hidden: true })
    .description('Print the catalogue of all metrics (Markdown)')
    .action(async () => {
      const { metricsPage } = await import('../insight/index.js');
      io.stdout.write(metricsPage());
    });
}

function parseCount(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError('expected a number from 0 to 999');
  return Number(text);
}

function parseScale(text: string): number {
  const match = /^([\d.]+(?:e-?\d+)?)(?:\/([\d.]+))?$/i.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) / Number(match[2] ?? 1);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('expected a number or a fraction, e.g. 1/255');
  return value;
}
