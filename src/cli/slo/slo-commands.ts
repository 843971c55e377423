import type { Command } from 'commander';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';

const DEFAULT_URL = 'http://127.0.0.1:8000';

/** Adds `slo` and what is below it. What they run is loaded when they are asked for. */
export function addSlo(program: Command, io: CliIo, exit: (code: number) => void): void {
  const slo = program.command('slo').description('Service level objectives: how they stand, and rules for Prometheus');
  slo
    .command('status')
    .description('Show the error budgets and burn rates of a running gateway')
    .option('--url <url>', 'HTTP address of the gateway', DEFAULT_URL)
    .option('--json', 'Print JSON')
    .action(async ({ url, json }: { url: string; json?: boolean }) => {
      const { sloStatus } = await import('./slo-status.js');
      exit(await sloStatus({ url, json: json === true }, io));
    });
  slo
    .command('rules')
    .description('Print recording and alerting rules of Prometheus for the SLOs of a configuration')
    .argument('[models...]', 'Folders laid out NAME/slo.yaml, beside those of the configuration')
    .usage('[DIR ...] [--output FILE] [flags of serve]')
    .option('--output <file>', 'Write them to a file')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      'after',
      `\nExample:\n  penstock slo rules ./models --config penstock.yaml --output penstock-slo.rules.yaml\n\n${EXIT_CODE_HELP}`,
    )
    .action(async (_models: string[], { output }: { output?: string }, command: Command) => {
      const { sloRules } = await import('./slo-rules.js');
      exit(await sloRules(output, command.args, io));
    });
}
