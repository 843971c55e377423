import { type Command, InvalidArgumentError, Option } from 'commander';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import type { JudgeFlags } from './judge.js';

/** Adds `rollout judge`. */
export function addJudge(rollout: Command, io: CliIo, exit: (code: number) => void): void {
  rollout
    .command('judge')
    .description("Judge samples of two versions as Kayenta's NetflixACAJudge does: once, at the end")
    .argument('<file>', 'JSON document of metrics; or the samples of the version that serves, one number a line')
    .argument('[experiment]', 'The samples of the new version')
    .addOption(
      new Option('--direction <way>', 'Which way a metric must not move, where it does not say')
        .choices(['either', 'increase', 'decrease'])
        .default('either'),
    )
    .option('--confidence <share>', 'Of the interval of the shift', within(0.5, 1), 0.98)
    .option('--tolerance <part>', 'Part of the shift that its interval must be away from 0 by', within(0, 1), 0.25)
    .option('--pass <score>', 'Score from which on it is a pass', within(0, 100), 95)
    .option('--marginal <score>', 'Score from which on it is marginal', within(0, 100), 75)
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      `\nExamples:\n  penstock rollout judge control.txt experiment.txt --direction increase\n  penstock rollout judge metrics.json --json\n\nA document: {"metrics": [{"name": "p99", "control": [..], "experiment": [..], "direction": "increase", "critical": true,\n"group": "latency"}], "groupWeights": {"latency": 60}}. null is a value that is missing. What is not a pass ends with 1.\n\n${EXIT_CODE_HELP}`,
    )
    .action(async (file: string, experiment: string | undefined, flags: JudgeFlags) => {
      const { judge } = await import('./judge.js');
      exit(judge(file, experiment, flags, io));
    });
}

/** A number from `least` to `most`; of a confidence the most is no more allowed. */
function within(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most) || (most === 1 && least > 0 && value === 1))
      throw new InvalidArgumentError(`expected a number from ${least} to ${most}`);
    return value;
  };
}
