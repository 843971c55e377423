import { type Command, InvalidArgumentError, Option } from 'commander';
import { SCOPES, type Scope } from '../../core/index.js';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';

const FILE_HELP = 'Tokens file, as the gateway is given it (--tokens-file)';
const DEFAULT_FILE = 'tokens.yaml';

/** Adds `token` and what is below it. */
export function addToken(program: Command, io: CliIo, exit: (code: number) => void): void {
  const token = program
    .command('token')
    .description('Tokens of the admin API: who may post feedback, steer rollouts, see costs, administer')
    .addHelpText(
      'after',
      `\nExamples:\n  penstock token create --name ci --scope rollout\n  penstock serve ./models --tokens-file tokens.yaml --admin-port 8003\n  penstock token revoke ci\n\n${EXIT_CODE_HELP}`,
    );
  token
    .command('create')
    .description(
      'Make a token, print it once, and write its hash to the tokens file; a gateway that runs knows it at once',
    )
    .requiredOption('--name <name>', 'What log and audit call its holder', tokenName)
    .addOption(
      new Option('--scope <scope...>', 'What it is for; admin takes in the others')
        .choices(SCOPES)
        .makeOptionMandatory(),
    )
    .option('--file <path>', FILE_HELP, DEFAULT_FILE)
    .option('--json', 'Print JSON')
    .action(async (flags: { name: string; scope: Scope[]; file: string; json?: boolean }) => {
      const { createToken } = await import('./token-files.js');
      exit(createToken({ ...flags, json: flags.json === true }, io));
    });
  token
    .command('list')
    .description('Show names and scopes of a tokens file')
    .option('--file <path>', FILE_HELP, DEFAULT_FILE)
    .option('--json', 'Print JSON')
    .action(async (flags: { file: string; json?: boolean }) => {
      const { listTokens } = await import('./token-files.js');
      exit(listTokens({ ...flags, json: flags.json === true }, io));
    });
  token
    .command('revoke')
    .description('Take a token out of the tokens file; a gateway that runs refuses it from the next call on')
    .argument('<name>', 'Name of the token')
    .option('--file <path>', FILE_HELP, DEFAULT_FILE)
    .action(async (name: string, flags: { file: string }) => {
      const { revokeToken } = await import('./token-files.js');
      exit(revokeToken({ ...flags, name }, io));
    });
}

function tokenName(text: string): string {
  if (/^[A-Za-z0-9._-]{1,64}$/.test(text)) return text;
  throw new InvalidArgumentError('expected 1 to 64 letters, digits, dots, dashes and underscores');
}
