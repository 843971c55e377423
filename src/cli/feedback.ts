import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { CliError, EXIT_CODES } from './exit-codes.js';
import type { CliIo } from './io.js';
import { type FeedbackSums, V2Client } from './v2-client.js';

export interface FeedbackOptions {
  readonly url: string;
  /** File of one JSON object a line; undefined or `-`: standard input. */
  readonly file: string | undefined;
  readonly token: string | undefined;
  readonly json: boolean;
}

/** Lines of one call, and their characters: well below what a gateway takes. */
const CALL_LINES = 1000;
const CALL_CHARACTERS = 512 * 1024;
/** Refused lines that are told one by one. */
const MOST_TOLD = 20;

/**
 * `penstock feedback [FILE]`: tells a running gateway what was learned of predictions, a JSON object a line, in calls of
 * many lines as they come. Fails where a line was refused.
 */
export async function feedback(options: FeedbackOptions, io: CliIo): Promise<number> {
  const client = new V2Client(options.url, undefined, options.token);
  const sums: Omit<FeedbackSums, 'errors'> = { accepted: 0, unknown: 0, duplicate: 0, late: 0, refused: 0 };
  const errors: { line: number; error: string }[] = [];
  for await (const { text, numbers } of calls(linesOf(options.file, io))) {
    const { errors: told, ...counts } = await client.feedback(text);
    for (const kind of Object.keys(sums) as (keyof typeof sums)[]) sums[kind] += counts[kind];
    for (const { item, error } of told) {
      if (errors.length < MOST_TOLD) errors.push({ line: numbers[item] ?? 0, error });
    }
  }
  if (options.json) io.stdout.write(`${JSON.stringify({ ...sums, errors })}\n`);
  else {
    for (const { line, error } of errors) io.stderr.write(`penstock: line ${line}: ${error}\n`);
    const { accepted, unknown, duplicate, late, refused } = sums;
    io.stdout.write(
      `accepted ${accepted}, unknown ${unknown}, duplicate ${duplicate}, late ${late}, refused ${refused}\n`,
    );
  }
  return sums.refused > 0 ? EXIT_CODES.failed : EXIT_CODES.done;
}

interface Call {
  readonly text: string;
  /** Number of each of its lines, from 1. */
  readonly numbers: readonly number[];
}

async function* calls(lines: AsyncIterable<string>): AsyncIterable<Call> {
  let number = 0;
  let characters = 0;
  let held: string[] = [];
  let numbers: number[] = [];
  for await (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    if (held.length === CALL_LINES || characters + line.length > CALL_CHARACTERS) {
      if (held.length > 0) yield { text: held.join('\n'), numbers };
      held = [];
      numbers = [];
      characters = 0;
    }
    held.push(line);
    numbers.push(number);
    characters += line.length;
  }
  if (held.length > 0) yield { text: held.join('\n'), numbers };
}

async function* linesOf(file: string | undefined, io: CliIo): AsyncIterable<string> {
  const stdin = file === undefined || file === '-';
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of stdin ? io.stdin : createReadStream(resolve(io.cwd, file))) {
      const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
      rest = lines.pop() as string;
      yield* lines;
      if (rest.length > CALL_CHARACTERS) {
        throw new CliError(`${stdin ? 'standard input' : file}: one JSON object a line is expected`, EXIT_CODES.usage);
      }
    }
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === undefined) throw thrown;
    throw new CliError(`${stdin ? 'standard input' : file}: cannot be read (${code})`, EXIT_CODES.usage);
  }
  if (rest !== '') yield rest;
}
