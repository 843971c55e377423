import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { realpathSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { type ModelFiles, type ModelVersionId, versionOf } from '../core/index.js';
import { MANIFEST, readPublicKey, SIGNATURE, signVersion, verifyVersion, writePublicKey } from '../gates/index.js';
import { modelFiles } from '../models/index.js';
import { CliError, EXIT_CODES } from './exit-codes.js';
import type { CliIo } from './io.js';
import { readTextFile } from './text-file.js';

export interface SignOptions {
  /** Folder of a version; undefined: only a key is made. */
  readonly version: string | undefined;
  readonly key: string | undefined;
  readonly newKey: string | undefined;
}

/** `penstock sign`: writes the manifest of a version's files and the signature over it beside them. */
export async function sign({ version, key, newKey }: SignOptions, io: CliIo): Promise<number> {
  if (newKey !== undefined) makeKey(resolve(io.cwd, newKey), io);
  const from = key ?? newKey;
  if (version === undefined && newKey !== undefined) return EXIT_CODES.done;
  if (version === undefined || from === undefined) {
    throw usage('name the folder of a version and a key, e.g. penstock sign models/digits/2 --key release.key');
  }
  const { id, files, folder } = versionAt(version, io.cwd);
  const { manifest, signature } = await signVersion(id, files, privateKey(resolve(io.cwd, from)));
  writeFileSync(join(folder, MANIFEST), manifest);
  writeFileSync(join(folder, SIGNATURE), signature);
  const count = manifest.split('\n').length - 1;
  io.stdout.write(`${id.model} version ${id.version}: ${count} files signed (${SIGNATURE})\n`);
  return EXIT_CODES.done;
}

/** `penstock verify`: fails where the files are not those that were signed. */
export async function verify(
  { version, keys }: { readonly version: string; readonly keys: readonly string[] },
  io: CliIo,
): Promise<number> {
  const { id, files } = versionAt(version, io.cwd);
  const trusted = keys.map((file) => readPublicKey(readTextFile(resolve(io.cwd, file)), file));
  const found = await verifyVersion(id, files, trusted);
  const said = found.kind === 'invalid' ? `its signature does not count: ${found.why}` : SAID[found.kind];
  io.stdout.write(`${id.model} version ${id.version}: ${said}\n`);
  return found.kind === 'valid' ? EXIT_CODES.done : EXIT_CODES.failed;
}

const SAID = { valid: 'its files are those that were signed', none: 'it is not signed' } as const;

function makeKey(file: string, io: CliIo): void {
  const { privateKey: made } = generateKeyPairSync('ed25519');
  try {
    writeFileSync(file, made.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600, flag: 'wx' });
    writeFileSync(`${file}.pub`, writePublicKey(made), { flag: 'wx' });
  } catch (thrown) {
    throw usage(
      `${(thrown as NodeJS.ErrnoException).path}: cannot be written (${(thrown as NodeJS.ErrnoException).code})`,
    );
  }
  io.stderr.write(`penstock: wrote ${file}, which is to be kept secret, and ${file}.pub\n`);
}

function versionAt(
  path: string,
  cwd: string,
): { readonly id: ModelVersionId; readonly files: ModelFiles; readonly folder: string } {
  let folder: string;
  try {
    folder = realpathSync(resolve(cwd, path));
  } catch (thrown) {
    throw usage(`${path}: cannot be read (${(thrown as NodeJS.ErrnoException).code})`);
  }
  const version = versionOf(basename(folder));
  if (version === undefined) throw usage(`${path}: a version's folder has a number for a name, as models/digits/2`);
  const model = dirname(folder);
  const id = { model: basename(model), version };
  return { id, files: modelFiles({ root: model, folder: model }, id.model), folder };
}

function privateKey(file: string): KeyObject {
  const text = readTextFile(file);
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below: what it is not is all there is to say.
  }
  throw usage(`${file}: not a private key of Ed25519 (PKCS#8 in PEM); penstock sign --new-key FILE makes one`);
}

function usage(message: string): CliError {
  return new CliError(message, EXIT_CODES.usage);
}
