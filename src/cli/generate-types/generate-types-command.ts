import type { Command } from 'commander';
import { EXIT_CODE_HELP } from '../exit-codes.js';
import type { CliIo } from '../io.js';

const PROGRAM = [
  "  import { PenstockClient } from 'penstock/client';",
  "  import type { digits } from './models.js';",
  "  const client = new PenstockClient('http://127.0.0.1:8000');",
  '  const pixels = { shape: [1, 64], data: new Float32Array(64) } as const;',
  "  const { outputs } = await client.infer<digits.Inputs, digits.Outputs>('digits', { pixels });",
].join('\n');

interface Flags {
  readonly url: string;
  readonly repository?: readonly string[];
  readonly out?: string;
  readonly check?: boolean;
}

/** Adds `generate-types`. What it runs is loaded when it is asked for. */
export function addGenerateTypes(program: Command, io: CliIo, exit: (code: number) => void): void {
  program
    .command('generate-types')
    .description('Write TypeScript types of the inputs and outputs of models, for penstock/client')
    .argument('[models...]', 'Names of models; default all that are ready')
    .option('--url <url>', 'HTTP address of the gateway', 'http://127.0.0.1:8000')
    .option(
      '--repository <folder>',
      'Ask no gateway: load the models of this folder, laid out NAME/VERSION/model.onnx; may be given several times',
      (folder: string, folders: readonly string[] | undefined) => [...(folders ?? []), folder],
    )
    .option('--out <file>', 'Write to a file; default standard output')
    .option('--check', 'Write nothing; fail where the file of --out is not what would be written')
    .addHelpText(
      'after',
      `
Each model becomes a namespace with the types Inputs and Outputs, those of its highest version; where versions differ, each has
a namespace within it (v1, v2 ...). Sizes that a model fixes are in the types. The same models give the same text.

Examples:
  penstock generate-types --out src/models.ts
  penstock generate-types digits --repository ./models --out src/models.ts
  penstock generate-types --repository ./models --out src/models.ts --check

In a program:
${PROGRAM}

${EXIT_CODE_HELP}`,
    )
    .action(async (models: string[], { url, repository = [], out, check = false }: Flags) => {
      const { generateTypes } = await import('./generate-types.js');
      exit(await generateTypes({ models, url, repositories: repository, out, check }, io));
    });
}
