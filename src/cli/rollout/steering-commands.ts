import type { Command } from 'commander';
import { DEFAULT_ADMIN_URL } from '../admin-client.js';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { positive } from '../number-argument.js';
import type { ReplayFlags } from './replay-log.js';
import type { ReportFlags } from './report.js';
import type { SteerFlags } from './steer.js';
import type { WatchFlags } from './watch.js';

const OF = 'Its id, or the name of a model, whose last one is meant';

/** What operators ask of a rollout that runs. */
const COMMANDS = {
  pause: 'Stop progress; shares stay as they are, and harm still rolls it back',
  resume: 'Go on after a pause',
  approve: 'Give the approval that it waits for',
  promote: 'Give the candidate everything now, where every guard has passed',
  abort: 'Roll it back now',
} as const;

/** Adds what goes through the admin API of a gateway. What it runs is loaded when it is asked for. */
export function addSteering(rollout: Command, io: CliIo, exit: (code: number) => void): void {
  const command = (usage: string, description: string) =>
    rollout
      .command(usage)
      .description(description)
      .option('--url <url>', `Admin API of the gateway; default PENSTOCK_ADMIN_URL, else ${DEFAULT_ADMIN_URL}`)
      .option('--token-file <file>', 'File with a token of scope rollout; default the text of PENSTOCK_TOKEN');

  command('start', 'Start the rollout of a plan (YAML or JSON)')
    .argument('<plan>', 'File of the plan: src/delivery/ROLLOUTS.md')
    .option('--watch', 'Follow it to its end, as rollout watch does')
    .option('--json', 'Print JSON')
    .addHelpText('after', `\nExamples:\n  penstock rollout start plan.yaml --watch\n\n${EXIT_CODE_HELP}`)
    .action(async (plan: string, flags: SteerFlags & { watch?: boolean }) => {
      const { startRollout } = await import('./steer.js');
      const { id } = await startRollout(plan, flags, io);
      if (flags.watch !== true) return;
      const { watchRollout } = await import('./watch.js');
      exit(await watchRollout(id, { ...flags, interval: 1 }, io));
    });
  command('list', 'Show every rollout that is known, the last first')
    .option('--json', 'Print JSON')
    .action(async (flags: SteerFlags) => {
      const { listRollouts } = await import('./steer.js');
      exit(await listRollouts(flags, io));
    });
  command('status', 'Show where a rollout stands, and what it waits for')
    .argument('<rollout>', OF)
    .option('--json', 'Print JSON')
    .action(async (id: string, flags: SteerFlags) => {
      const { showRollout } = await import('./steer.js');
      exit(await showRollout(id, flags, io));
    });
  command('watch', 'Follow a rollout to its end: a live view on a terminal, lines in a pipe')
    .argument('<rollout>', OF)
    .option('--interval <seconds>', 'Time between looks', positive, 1)
    .option('--stop-at-pause', 'End with exit code 6 where it is paused')
    .addHelpText('after', `\n${EXIT_CODE_HELP}`)
    .action(async (id: string, flags: WatchFlags) => {
      const { watchRollout } = await import('./watch.js');
      exit(await watchRollout(id, flags, io));
    });
  for (const [name, description] of Object.entries(COMMANDS)) {
    const asked = command(name, description).argument('<rollout>', OF).option('--json', 'Print JSON');
    if (name === 'promote') asked.option('--force', 'Also without a pass of every guard');
    asked.action(async (id: string, flags: SteerFlags & { force?: boolean }) => {
      const { askRollout } = await import('./steer.js');
      exit(await askRollout(id, name, flags, io));
    });
  }
  command('unpin', 'Make the highest version the default of a model again, after rollouts')
    .argument('<model>', 'Name of the model')
    .action(async (model: string, flags: SteerFlags) => {
      const { unpinModel } = await import('./steer.js');
      exit(await unpinModel(model, flags, io));
    });
  command('report', 'Write what a rollout saw and decided, and why: Markdown on standard output, or files')
    .argument('<rollout>', OF)
    .option('--out <file>', 'Write all of it as JSON, which replay reads')
    .option('--markdown <file>', 'Write Markdown')
    .option('--html <file>', 'Write one HTML page with plots of the evidence')
    .action(async (id: string, flags: ReportFlags) => {
      const { reportRollout } = await import('./report.js');
      exit(await reportRollout(id, flags, io));
    });
  command('replay', 'Decide a rollout anew from its log; fails where any verdict or move comes out otherwise')
    .argument('<report>', `File of report --out, or of the gateway: ${OF.toLowerCase()}`)
    .option('--json', 'Print JSON')
    .action(async (given: string, flags: ReplayFlags) => {
      const { replayLog } = await import('./replay-log.js');
      exit(await replayLog(given, flags, io));
    });
}
