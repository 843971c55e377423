import type { Command } from 'commander';
import type { AdminFlags } from '../admin-client.js';
import { withAdminOptions } from '../admin-options.js';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { countOfDigits } from '../number-argument.js';
import { onOff } from '../on-off-argument.js';

/** Flags that every command here takes. */
export interface RoutesFlags extends AdminFlags {
  readonly json?: boolean;
}

const MODEL = 'Name of the model';

/** Adds `routes`, `flags`, `filters` and `audit`: what operators set and see of a gateway that runs. */
export function addRoutes(program: Command, io: CliIo, exit: (code: number) => void): void {
  addRoutesOfModels(program, io, exit);
  const flags = program.command('flags').description('Flags of routes: what names one counts only while it is on');
  withAdminOptions(flags.command('set'), 'admin')
    .description('Switch a flag of the routes of a model; in force on every thread when this ends')
    .argument('<model>', MODEL)
    .argument('<flag>', 'Name of the flag')
    .argument('<on|off>', 'What it shall be', onOff)
    .addHelpText('after', `\nExamples:\n  penstock flags set digits new-model on\n\n${EXIT_CODE_HELP}`)
    .action(async (model: string, flag: string, on: boolean, given: RoutesFlags) => {
      const { switchNamed } = await import('./routes.js');
      exit(await switchNamed({ model, kind: 'flags', name: flag, on }, given, io));
    });
  const filters = program
    .command('filters')
    .description('Filters of routes: block inputs that match, answer them by default, or send them elsewhere');
  for (const [name, on] of [
    ['on', true],
    ['off', false],
  ] as const) {
    withAdminOptions(filters.command(name), 'admin')
      .description(`Switch a filter ${name}; in force on every thread when this ends`)
      .argument('<model>', MODEL)
      .argument('<filter>', 'Name of the filter')
      .addHelpText('after', `\nExamples:\n  penstock filters ${name} digits blank-images\n\n${EXIT_CODE_HELP}`)
      .action(async (model: string, filter: string, given: RoutesFlags) => {
        const { switchNamed } = await import('./routes.js');
        exit(await switchNamed({ model, kind: 'filters', name: filter, on }, given, io));
      });
  }
  withAdminOptions(program.command('audit'), 'admin')
    .description('Show who changed what serves, and who was refused, the newest first')
    .option('--most <count>', 'Entries at most, up to 1000', countOfDigits(4), 100)
    .option('--before <number>', 'Only entries with a lower number', countOfDigits(15))
    .addHelpText('after', `\n${EXIT_CODE_HELP}`)
    .action(async (given: RoutesFlags & { most: number; before?: number }) => {
      const { showAudit } = await import('./audit.js');
      exit(await showAudit(given, io));
    });
}

function addRoutesOfModels(program: Command, io: CliIo, exit: (code: number) => void): void {
  const routes = program
    .command('routes')
    .description('Which version answers which request: labels, splits, rules, shadows, flags, filters')
    .addHelpText(
      'after',
      `\nExamples:\n  penstock routes show digits --document > routes.yaml\n  penstock routes set digits routes.yaml\n\nWhat a document may say: src/config/REFERENCE.md\n\n${EXIT_CODE_HELP}`,
    );
  withAdminOptions(routes.command('show'), 'rollout')
    .description('Show the routes of a model, or without a name which models have some')
    .argument('[model]', MODEL)
    .option('--document', 'Print what an operator set alone, to be changed and set again')
    .addHelpText('after', `\n${EXIT_CODE_HELP}`)
    .action(async (model: string | undefined, given: RoutesFlags & { document?: boolean }) => {
      const { listRoutes, showRoutes } = await import('./routes.js');
      exit(model === undefined ? await listRoutes(given, io) : await showRoutes(model, given, io));
    });
  withAdminOptions(routes.command('set'), 'admin')
    .description('Set the routes of a model, in the place of those of its file; kept over restarts')
    .argument('<model>', MODEL)
    .argument('<file>', 'Document (YAML or JSON), as routes.yaml beside a model; - = standard input')
    .addHelpText('after', `\n${EXIT_CODE_HELP}`)
    .action(async (model: string, file: string, given: RoutesFlags) => {
      const { setRoutes } = await import('./routes.js');
      exit(await setRoutes({ model, file }, given, io));
    });
  withAdminOptions(routes.command('remove'), 'admin')
    .description('Forget what was set: the routes file of the model counts again, with its flags and filters')
    .argument('<model>', MODEL)
    .addHelpText('after', `\n${EXIT_CODE_HELP}`)
    .action(async (model: string, given: RoutesFlags) => {
      const { removeRoutes } = await import('./routes.js');
      exit(await removeRoutes(model, given, io));
    });
}
