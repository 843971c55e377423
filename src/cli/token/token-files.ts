import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseTokens, withoutToken, withToken } from '../../config/index.js';
import { nearestName, type Scope } from '../../core/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { textTable } from '../text-table.js';

/** So that scanners for secrets know it when it is where it should not be. */
const PREFIX = 'pst_';
const RANDOM_BYTES = 24;

/** `penstock token create`: the token goes to standard output, once; the file gets its hash. */
export function createToken(
  options: { readonly name: string; readonly scope: readonly Scope[]; readonly file: string; readonly json: boolean },
  io: CliIo,
): number {
  const { name, file, json } = options;
  const path = resolve(io.cwd, file);
  const text = textOf(path) ?? '';
  if (parseTokens(text, file).some((row) => row.name === name)) {
    throw new CliError(`${file} has a token '${name}' already: revoke that first, or give another name`);
  }
  const token = PREFIX + randomBytes(RANDOM_BYTES).toString('base64url');
  const scopes = [...new Set(options.scope)];
  const sha256 = createHash('sha256').update(token).digest('hex');
  write(path, withToken(text, { name, scopes, sha256, created: new Date().toISOString() }), file);
  io.stdout.write(json ? `${JSON.stringify({ name, scopes, token })}\n` : `${token}\n`);
  if (!json) {
    io.stderr.write(
      `penstock: this is the only time the token is shown; ${file} holds its hash, for penstock serve --tokens-file ${file}\n`,
    );
  }
  return EXIT_CODES.done;
}

/** `penstock token list`. */
export function listTokens({ file, json }: { readonly file: string; readonly json: boolean }, io: CliIo): number {
  const rows = parseTokens(existing(resolve(io.cwd, file), file), file).map(({ name, scopes, created }) => ({
    name,
    scopes,
    created,
  }));
  if (json) io.stdout.write(`${JSON.stringify({ tokens: rows })}\n`);
  else if (rows.length === 0) io.stdout.write('no tokens\n');
  else {
    const cells = rows.map(({ name, scopes, created }) => [name, scopes.join(', '), created ?? '-']);
    io.stdout.write(textTable(['NAME', 'SCOPES', 'CREATED'], cells));
  }
  return EXIT_CODES.done;
}

/** `penstock token revoke`. */
export function revokeToken({ file, name }: { readonly file: string; readonly name: string }, io: CliIo): number {
  const path = resolve(io.cwd, file);
  const text = existing(path, file);
  const rows = parseTokens(text, file);
  const left = withoutToken(text, name);
  if (left === undefined) {
    const near = nearestName(
      name,
      rows.map((row) => row.name),
    );
    const hint = near === undefined ? '; penstock token list shows them' : `, did you mean '${near}'?`;
    throw new CliError(`${file} has no token '${name}'${hint}`);
  }
  write(path, left, file);
  io.stdout.write(`revoked ${name}\n`);
  return EXIT_CODES.done;
}

function existing(path: string, file: string): string {
  const text = textOf(path);
  if (text === undefined) {
    throw new CliError(
      `${file}: there is no such file; penstock token create makes it, or name it with --file`,
      EXIT_CODES.usage,
    );
  }
  return text;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new CliError(`${path}: cannot be read (${code})`, EXIT_CODES.usage);
  }
}

/** Whole or not at all: a gateway reads it while it runs. */
function write(path: string, text: string, file: string): void {
  const begun = `${path}.${process.pid}.new`;
  try {
    writeFileSync(begun, text, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(begun, path);
  } catch (thrown) {
    rmSync(begun, { force: true });
    throw new CliError(`${file}: cannot be written (${(thrown as NodeJS.ErrnoException).code})`);
  }
}
