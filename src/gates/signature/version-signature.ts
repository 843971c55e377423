import type { KeyObject } from 'node:crypto';
import type { ModelFiles, ModelVersionId } from '../../core/index.js';
import { type MinisignKey, minisign, verifyMinisign } from './minisign.js';
import { MANIFEST, manifestFault, manifestOf, SIGNATURE } from './version-manifest.js';

const MOST_MANIFEST_BYTES = 8 * 1024 * 1024;
const MOST_SIGNATURE_BYTES = 64 * 1024;

/** What a version's signature is worth. `none`: it has none. */
export type SignatureState =
  | { readonly kind: 'none' }
  | { readonly kind: 'valid' }
  | { readonly kind: 'invalid'; readonly why: string };

/** The manifest and the signature of a version as it lies there; they belong beside its files. */
export async function signVersion(
  id: ModelVersionId,
  files: ModelFiles,
  privateKey: KeyObject,
): Promise<{ readonly manifest: string; readonly signature: string }> {
  const manifest = await manifestOf(files, String(id.version));
  return { manifest, signature: minisign(Buffer.from(manifest), privateKey, commentOf(id)) };
}

/** Rejects with MODEL_INVALID where a file cannot be read. Reads every byte of the version. */
export async function verifyVersion(
  id: ModelVersionId,
  files: ModelFiles,
  keys: readonly MinisignKey[],
): Promise<SignatureState> {
  const folder = String(id.version);
  const there = new Set(((await files.list(folder)) ?? []).map(({ name }) => name));
  if (!there.has(SIGNATURE)) return { kind: 'none' };
  if (!there.has(MANIFEST)) return { kind: 'invalid', why: `${MANIFEST} is not there` };
  const manifest = await files.read(`${folder}/${MANIFEST}`, MOST_MANIFEST_BYTES);
  const signature = await files.read(`${folder}/${SIGNATURE}`, MOST_SIGNATURE_BYTES);
  const verified = verifyMinisign(manifest, new TextDecoder().decode(signature), keys);
  if (!verified.valid) return { kind: 'invalid', why: verified.why };
  // A comment of ours says for what it was signed; one of minisign's own says nothing of the kind.
  const { comment } = verified;
  if (comment.startsWith(COMMENT) && comment !== commentOf(id)) {
    return { kind: 'invalid', why: `it is of '${comment.slice(COMMENT.length)}'` };
  }
  const fault = await manifestFault(files, folder, new TextDecoder().decode(manifest));
  return fault === undefined ? { kind: 'valid' } : { kind: 'invalid', why: fault };
}

const COMMENT = 'penstock model version: ';

function commentOf({ model, version }: ModelVersionId): string {
  return `${COMMENT}${model}/${version}`;
}
