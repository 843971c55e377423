import { type Command, InvalidArgumentError } from 'commander';
import { jsonSchema, referencePage } from '../config/index.js';
import { parseVersion } from '../core/index.js';
import { EXIT_CODE_HELP } from './exit-codes.js';
import type { CliIo } from './io.js';

/** Commands that need no gateway: files, this machine, the program itself. */
export function addLocalCommands(program: Command, io: CliIo, exit: (code: number) => void): void {
  addGate(program, io, exit);
  addSigning(program, io, exit);
  addMachine(program, io, exit);
  addProgram(program, io);
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

function addMachine(program: Command, io: CliIo, exit: (code: number) => void): void {
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
}

function addProgram(program: Command, io: CliIo): void {
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
