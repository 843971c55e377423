import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { ServingError } from '../../core/index.js';

/** A public key of Ed25519 in minisign's form. */
export interface MinisignKey {
  /** 8 bytes in hexadecimal, for people to tell keys apart. */
  readonly id: string;
  readonly key: KeyObject;
}

/** A key's part of an SPKI structure in front of its 32 bytes (RFC 8410). */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');
const PUBLIC_BYTES = 32;
const ID_BYTES = 8;
const SIGNATURE_BYTES = 64;
const UNTRUSTED = 'untrusted comment: ';
const TRUSTED = 'trusted comment: ';

/**
 * Reads a public key as minisign writes it: a comment and a line of base64, or that line alone
 * (https://jedisct1.github.io/minisign/). Throws MALFORMED_REQUEST.
 */
export function readPublicKey(text: string, shown: string): MinisignKey {
  const lines = text.trim().split(/\r?\n/);
  const bytes = Buffer.from(lines.at(-1) ?? '', 'base64');
  if (bytes.byteLength !== 2 + ID_BYTES + PUBLIC_BYTES || bytes.toString('latin1', 0, 2) !== 'Ed') {
    throw new ServingError('MALFORMED_REQUEST', `${shown}: not a public key of minisign`);
  }
  const raw = bytes.subarray(2 + ID_BYTES);
  const key = createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' });
  return { id: idText(bytes.subarray(2, 2 + ID_BYTES)), key };
}

/** The public key of a private one, as minisign would write it. Its id is of its own bytes, so that it needs no place. */
export function writePublicKey(privateKey: KeyObject): string {
  const raw = rawPublic(privateKey);
  const id = idOf(raw);
  const line = Buffer.concat([Buffer.from('Ed'), id, raw]).toString('base64');
  return `${UNTRUSTED}minisign public key ${idText(id)}\n${line}\n`;
}

/** Signs a text (prehashed, as minisign does); `comment` is signed with it. */
export function minisign(text: Uint8Array, privateKey: KeyObject, comment: string): string {
  const raw = rawPublic(privateKey);
  const signature = sign(null, hashed(text), privateKey);
  const both = sign(null, Buffer.concat([signature, Buffer.from(comment)]), privateKey);
  const line = Buffer.concat([Buffer.from('ED'), idOf(raw), signature]).toString('base64');
  return `${UNTRUSTED}signature of penstock sign\n${line}\n${TRUSTED}${comment}\n${both.toString('base64')}\n`;
}

/** What is wrong with a signature, or the comment that was signed with it. */
export type Verified =
  | { readonly valid: true; readonly comment: string }
  | { readonly valid: false; readonly why: string };

/** Checks a signature file of minisign, prehashed or not, against the keys that are trusted. */
export function verifyMinisign(text: Uint8Array, file: string, keys: readonly MinisignKey[]): Verified {
  const [, line = '', trusted = '', global = ''] = file.trim().split(/\r?\n/);
  const bytes = Buffer.from(line, 'base64');
  const algorithm = bytes.toString('latin1', 0, 2);
  if (bytes.byteLength !== 2 + ID_BYTES + SIGNATURE_BYTES || !trusted.startsWith(TRUSTED)) {
    return { valid: false, why: 'it is no signature of minisign' };
  }
  if (algorithm !== 'ED' && algorithm !== 'Ed') return { valid: false, why: 'its algorithm is unknown' };
  const id = idText(bytes.subarray(2, 2 + ID_BYTES));
  const key = keys.find((one) => one.id === id)?.key;
  if (key === undefined) return { valid: false, why: `key ${id} is not trusted` };
  const signature = bytes.subarray(2 + ID_BYTES);
  const signed = algorithm === 'ED' ? hashed(text) : text;
  if (!verify(null, signed, key, signature)) return { valid: false, why: 'it is not of these files' };
  const comment = trusted.slice(TRUSTED.length);
  if (!verify(null, Buffer.concat([signature, Buffer.from(comment)]), key, Buffer.from(global, 'base64'))) {
    return { valid: false, why: 'its comment is not the one that was signed' };
  }
  return { valid: true, comment };
}

function rawPublic(privateKey: KeyObject): Buffer {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return spki.subarray(SPKI_HEAD.byteLength);
}

function idOf(raw: Buffer): Buffer {
  return createHash('sha256').update(raw).digest().subarray(0, ID_BYTES);
}

/** Minisign shows the id as a little-endian number. */
function idText(id: Buffer): string {
  return Buffer.from(id).reverse().toString('hex').toUpperCase();
}

function hashed(text: Uint8Array): Buffer {
  return createHash('blake2b512').update(text).digest();
}
