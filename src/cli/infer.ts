import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { writeNpy } from '../elements/index.js';
import { answerJson, answerTable } from './answer-text.js';
import { CliError, EXIT_CODES } from './exit-codes.js';
import type { ImageOptions } from './image-input.js';
import { readInputs } from './input-argument.js';
import type { CliIo } from './io.js';
import { V2Client } from './v2-client.js';

export interface InferOptions {
  readonly url: string;
  readonly version: string | undefined;
  /** As given to `--input`, and operands as `@FILE`. */
  readonly inputs: readonly string[];
  readonly output: 'json' | 'table' | 'npy' | undefined;
  /** Of `--output npy`: the file, or with several outputs the folder; undefined: standard output. */
  readonly out: string | undefined;
  readonly image: ImageOptions;
}

/** `penstock infer MODEL`: sends one request to a running gateway and prints its answer. */
export async function infer(model: string, options: InferOptions, io: CliIo): Promise<number> {
  const client = new V2Client(options.url);
  const metadata = await client.metadata(model, options.version);
  if (options.inputs.length === 0) {
    const needs = metadata.inputs
      .map((spec) => `  ${spec.name}  ${spec.datatype}  [${spec.shape.join(', ')}]`)
      .join('\n');
    throw new CliError(
      `no input given; ${model} takes\n${needs}\ngive each with --input NAME=@FILE (.npy, .json, .png, .jpg, .bin) or --input NAME=JSON`,
      EXIT_CODES.usage,
    );
  }
  const answer = await client.infer(
    model,
    options.version,
    await readInputs(options.inputs, metadata.inputs, io.cwd, options.image),
  );
  if (options.output === 'npy') {
    const [only] = answer.outputs;
    if (only === undefined || (answer.outputs.length > 1 && options.out === undefined))
      throw new CliError(
        `the answer has ${answer.outputs.length} outputs; name a folder for their .npy files with --out`,
        EXIT_CODES.usage,
      );
    if (options.out === undefined) io.stdout.write(writeNpy(only));
    else
      for (const tensor of answer.outputs)
        writeFileSync(npyPath(resolve(io.cwd, options.out), tensor.name, answer.outputs.length), writeNpy(tensor));
  } else
    io.stdout.write(
      (options.output ?? (io.isTTY ? 'table' : 'json')) === 'json' ? answerJson(answer) : answerTable(answer),
    );
  return EXIT_CODES.done;
}

/** `--out` itself for one output; for several, a file in it named as the output, less what a file name cannot hold. */
function npyPath(out: string, name: string, outputs: number): string {
  return outputs === 1 ? out : resolve(out, `${name.replaceAll(/[^\w.-]/g, '_').replace(/^\.+/, '_')}.npy`);
}
