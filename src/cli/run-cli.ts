import { Command, CommanderError } from 'commander';
import { ServingError } from '../core/index.js';
import { CliError, EXIT_CODE_HELP, EXIT_CODES } from './exit-codes.js';
import type { CliIo } from './io.js';
import { serve } from './serve.js';
import { serveFlagsHelp } from './serve-help.js';

/** Runs one command line (the words after the program's name); resolves to the exit code, never rejects. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = EXIT_CODES.done;
  const exit = (code: number) => {
    exitCode = code;
  };
  const program = buildProgram(io);
  addServe(program, io, exit);
  try {
    if (argv[0] !== 'serve') {
      const { addOtherCommands } = await import('./other-commands.js');
      addOtherCommands(program, io, exit);
    }
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

function buildProgram(io: CliIo): Command {
  return (
    new Command('penstock')
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
      })
  );
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
