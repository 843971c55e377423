/** Exit codes of every command. */
export const EXIT_CODES = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  noGpu: 4,
  rolledBack: 5,
  needsPerson: 6,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** For `--help`. */
export const EXIT_CODE_HELP = [
  'Exit codes:',
  '  0  done',
  '  1  it failed: a model does not load, the gateway refuses, a check fails',
  '  2  the command line or a configuration file is wrong',
  '  3  no gateway answers at the address given',
  '  4  gpu-check: this machine has no GPU, or no CUDA provider files',
  '  5  rollout watch: the candidate was rolled back',
  '  6  rollout watch --stop-at-pause: a person has to decide',
].join('\n');

/** An end with a message for the person at the terminal: what is wrong and what to do next. */
export class CliError extends Error {
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT_CODES.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}
