import { type Command, InvalidArgumentError, Option } from 'commander';
import { CliError, EXIT_CODE_HELP, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { countOfDigits, positive } from '../number-argument.js';
import { benchCompare } from './bench-compare.js';
import { benchGoodput } from './bench-goodput.js';
import { benchRun } from './bench-run.js';
import type { LoadTarget } from './load-job.js';
import { modelPath } from './request-bytes.js';
import type { SampleData } from './sample-inputs.js';

const count = countOfDigits(9);

/** Which requests go to whom. */
interface RequestFlags {
  readonly url?: string;
  readonly grpc?: string;
  readonly ws?: string;
  readonly model: string;
  readonly version?: string;
  readonly format: 'binary' | 'json';
  readonly input?: readonly string[];
  readonly shape?: readonly string[];
  readonly data: SampleData;
  readonly seed: number;
  readonly json?: string;
}

interface GoodputFlags extends RequestFlags {
  readonly sloMs: number;
  readonly share: number;
  readonly arrivals: 'poisson' | 'burst';
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  readonly tries: number;
  readonly connections: number;
  readonly overload?: readonly number[];
}

interface RunFlags extends RequestFlags {
  readonly concurrency?: readonly number[];
  readonly rate?: number;
  readonly arrivals: string;
  readonly connections: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly pid?: number;
}

/** Adds `bench run`, `bench goodput` and `bench compare`. */
export function addBench(program: Command, io: CliIo, exit: (code: number) => void): void {
  const bench = program.command('bench').description('Measure a running V2 server, and compare measurements');
  addRun(bench, io, exit);
  addGoodput(bench, io, exit);
  bench
    .command('compare')
    .description('Say whether the second result is worse than the first')
    .argument('<baseline>', 'Result of bench run --json')
    .argument('<candidate>', 'Result of bench run --json')
    .option('--thresholds <file>', 'What may be worse by how much: {"default": {"perSecond": 0.05}, "scenarios": {}}')
    .option('--paired', 'The rounds of both were taken by turns')
    .option('--markdown <file>', 'Write the report as Markdown')
    .option('--html <file>', 'Write the report as one HTML page with plots')
    .addHelpText('after', `\n${EXIT_CODE_HELP}`)
    .action(
      (
        baseline: string,
        candidate: string,
        flags: { thresholds?: string; paired?: boolean; markdown?: string; html?: string },
      ) => {
        const { thresholds, paired = false, markdown, html } = flags;
        exit(benchCompare(baseline, candidate, { thresholds, paired, markdown, html }, io));
      },
    );
}

/** Adds the options that say which requests go to whom. */
function withRequests(command: Command): Command {
  const collect = (word: string, words: readonly string[] | undefined) => [...(words ?? []), word];
  return command
    .option('--url <url>', 'Over HTTP, e.g. http://127.0.0.1:8000')
    .option('--grpc <host:port>', 'Over gRPC')
    .option('--ws <host:port>', "Over Penstock's WebSocket")
    .requiredOption('--model <name>', 'Name of the model')
    .option('--version <number>', 'Version of the model; default the server chooses')
    .addOption(
      new Option('--format <form>', 'Tensors over HTTP and WebSocket').choices(['binary', 'json']).default('binary'),
    )
    .option('--input <NAME=@file|NAME=json>', 'An input, as for penstock infer; the others are made', collect)
    .option(
      '--shape <NAME=sizes>',
      'Shape of a made input, e.g. ids=1,16..128; a range is drawn for each request',
      collect,
    )
    .addOption(new Option('--data <kind>', 'Elements of made inputs').choices(['random', 'zeros']).default('random'))
    .option('--seed <number>', 'Of shapes, elements and arrivals', count, 1);
}

function addRun(bench: Command, io: CliIo, exit: (code: number) => void): void {
  const run = bench
    .command('run')
    .description('Put load on a model of any V2 server (Penstock, Triton, ..) and print what it did');
  withRequests(run)
    .option('--concurrency <list>', 'Closed loop: callers that wait for their answer, e.g. 1,8,32', counts)
    .option('--rate <number>', 'Open loop: requests per second, whatever the server does', positive)
    .option('--arrivals <kind>', 'Open loop: poisson, burst, or a file with one time in seconds a line', 'poisson')
    .option('--connections <count>', 'Open loop: requests in flight at most', count, 256)
    .option('--seconds <number>', 'Length of a round', positive, 3)
    .option('--rounds <count>', 'Rounds of each; the medians are shown; comparing needs 5', count, 5)
    .option('--pid <number>', "The server's process here: its CPU time for each request is measured too", count)
    .option('--json <file>', 'Write the result, for bench compare')
    .addHelpText(
      'after',
      `\nExamples:\n  penstock bench run --url http://127.0.0.1:8000 --model mlp --concurrency 1,8,32 --json before.json\n  penstock bench run --grpc 127.0.0.1:8001 --model mlp --rate 2000 --arrivals burst\n\n${EXIT_CODE_HELP}`,
    )
    .action(async (flags: RunFlags) => {
      const { rate, arrivals, connections, seconds, rounds, pid } = flags;
      const recorded = arrivals !== 'poisson' && arrivals !== 'burst';
      if (flags.concurrency !== undefined && (rate !== undefined || recorded))
        throw new CliError(
          '--concurrency is a closed loop, --rate and --arrivals an open one: give one',
          EXIT_CODES.usage,
        );
      const closed = rate === undefined && !recorded;
      const concurrency = closed ? (flags.concurrency ?? [1, 8, 32]) : [];
      const options = { rate, arrivals, connections, seconds, rounds, pid, concurrency };
      exit(await benchRun({ ...requestsOf(flags), ...options }, io));
    });
}

function addGoodput(bench: Command, io: CliIo, exit: (code: number) => void): void {
  const goodput = bench
    .command('goodput')
    .description('Search the highest rate that a V2 server answers within an SLO, open loop, from the due time');
  withRequests(goodput)
    .requiredOption('--slo-ms <number>', 'A request shall be answered within so many ms of its due time', positive)
    .option('--share <share>', 'Of all requests, so many must be', share, 0.99)
    .addOption(new Option('--arrivals <kind>', 'Arrivals').choices(['poisson', 'burst']).default('poisson'))
    .option('--from <rate>', 'Rate to begin with, in requests a second; near the goodput is best', positive, 100)
    .option('--to <rate>', 'Highest rate to try', positive, 20_000)
    .option('--seconds <number>', 'Length of a run', positive, 5)
    .option('--tries <count>', 'A rate fails where so many runs in a row do', count, 2)
    .option('--connections <count>', 'Requests in flight at most', count, 512)
    .option('--overload <list>', 'Multiples of the goodput that are offered at the end, e.g. 2,10', counts)
    .option('--json <file>', 'Write the result')
    .addHelpText(
      'after',
      `\nExample:\n  penstock bench goodput --url http://127.0.0.1:8000 --model mlp --slo-ms 20 --from 2000 --overload 2,10\n\n${EXIT_CODE_HELP}`,
    )
    .action(async (flags: GoodputFlags) => {
      const { sloMs, share, arrivals, from, to, seconds, tries, connections, overload = [] } = flags;
      const options = { sloMs, share, arrivals, from, to, seconds, tries, connections, overload };
      exit(await benchGoodput({ ...requestsOf(flags), ...options }, io));
    });
}

function requestsOf(flags: RequestFlags) {
  const { model, version, format, data, seed, json, input: inputs = [], shape: shapes = [] } = flags;
  return { target: targetOf(flags), model, version, format, data, seed, json, inputs, shapes };
}

function targetOf({ url, grpc, ws, model, version }: RequestFlags): LoadTarget {
  const given = [url, grpc, ws].filter((word) => word !== undefined);
  if (given.length !== 1)
    throw new CliError(
      'say which server: one of --url http://HOST:PORT, --grpc HOST:PORT, --ws HOST:PORT',
      EXIT_CODES.usage,
    );
  const [word] = given as [string];
  const match = /^(?:([a-z]+):\/\/)?([\w.-]+|\[[\da-f:]+\]):(\d{1,5})\/?$/i.exec(word);
  const scheme = grpc === undefined ? (ws === undefined ? 'http' : 'ws') : 'grpc';
  if (match === null || ![undefined, scheme].includes(match[1]))
    throw new CliError(`${word}: expected ${scheme}://HOST:PORT, unencrypted`, EXIT_CODES.usage);
  const host = match[2]!.replace(/^\[|\]$/g, '');
  return { protocol: scheme, host, port: Number(match[3]), path: modelPath({ name: model, version }, 'stream') };
}

function counts(text: string): number[] {
  return text.split(',').map(count);
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1)) throw new InvalidArgumentError('expected a share, at most 1');
  return value;
}
