import { type ObservedUnit, type Power, ratePower } from '../../delivery/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { textTable } from '../text-table.js';

export interface PowerFlags {
  readonly baseline: number;
  readonly candidate: number;
  readonly share: number;
  readonly alpha: number;
  readonly maxRatio: number;
  readonly maxDifference: number;
  readonly minRequests: number;
  readonly rowsPerBatch: number;
  readonly observe?: ObservedUnit;
  readonly runs: number;
  readonly maxRequests: number;
  readonly seed: number;
  readonly json?: boolean;
}

/** Requests that a command may simulate: some minutes' worth. */
const MOST_REQUESTS = 5e9;

/** Prints how releases of this kind end, and how those of a version that is just as good as the one that serves would. */
export function power(flags: PowerFlags, io: CliIo): number {
  const { runs, maxRequests, share, seed, rowsPerBatch } = flags;
  const requests = (2 * runs * maxRequests) / share;
  if (requests > MOST_REQUESTS)
    throw new CliError(
      `--runs ${runs} of --max-requests ${maxRequests} at --share ${share} would be ${requests.toExponential(1)} requests, ` +
        `at most ${MOST_REQUESTS.toExponential(0)} are simulated: choose fewer runs or requests`,
      EXIT_CODES.usage,
    );
  const observe = flags.observe ?? (rowsPerBatch > 1 ? 'batch' : 'request');
  const limits = {
    alpha: flags.alpha,
    maxRatio: flags.maxRatio,
    maxDifference: flags.maxDifference,
    minObservations: Math.ceil(observe === 'batch' ? flags.minRequests / rowsPerBatch : flags.minRequests),
  };
  const of = (candidateRate: number, done: number) =>
    ratePower(
      {
        limits,
        release: { baselineRate: flags.baseline, candidateRate, share, rowsPerBatch },
        observe,
        runs,
        maxRequests,
        seed,
      },
      (run) => progress(io, done + run, 2 * runs),
    );
  const [asGiven, alike] = [of(flags.candidate, 0), of(flags.baseline, runs)];
  if (flags.json === true) {
    io.stdout.write(`${JSON.stringify({ observe, candidate: asGiven, alike }, undefined, 2)}\n`);
    return EXIT_CODES.done;
  }
  const percent = (value: number) => `${Number((value * 100).toPrecision(3))} %`;
  io.stdout.write(
    `${runs} releases each, ${percent(share)} of the requests to the candidate, alpha ${flags.alpha}, one observation a ${observe}\n\n`,
  );
  io.stdout.write(
    textTable(
      ['bad requests', 'stopped', 'requests to stop', 'passed', 'requests to pass', 'no verdict'],
      [
        row(`${percent(flags.baseline)} -> ${percent(flags.candidate)}`, asGiven),
        row(`${percent(flags.baseline)} -> ${percent(flags.baseline)}`, alike),
      ],
    ),
  );
  io.stdout.write(`\nRequests are the candidate's, at the median and the 90th percentile.\n`);
  return EXIT_CODES.done;
}

function row(name: string, { runs, failed, passed, requestsToFail, requestsToPass }: Power): string[] {
  const share = (part: number) => `${Number(((part / runs) * 100).toPrecision(3))} %`;
  const quantiles = (of: Power['requestsToFail']) => (of === undefined ? '-' : `${of.median} / ${of.p90}`);
  return [
    name,
    share(failed),
    quantiles(requestsToFail),
    share(passed),
    quantiles(requestsToPass),
    share(runs - failed - passed),
  ];
}

/** On a terminal only: what is printed in a pipe is the result. */
function progress(io: CliIo, done: number, of: number): void {
  if (!io.isTTY) return;
  if (done === of) io.stderr.write(`\r${' '.repeat(40)}\r`);
  else if (done % Math.ceil(of / 50) === 0) io.stderr.write(`\r${done} of ${of} releases`);
}
