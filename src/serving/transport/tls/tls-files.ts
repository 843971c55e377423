import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ServingError } from '../../../core/index.js';

/** A file in PEM, and the setting that names it, for messages. */
export interface TlsFile {
  readonly setting: string;
  readonly path: string;
}

/** The files that a server speaks TLS by. */
export interface TlsFiles {
  readonly cert: TlsFile;
  readonly key: TlsFile;
  /** What certificates of clients are checked by; undefined: none is asked for. */
  readonly clientCa: TlsFile | undefined;
}

/** What the files hold, in PEM. */
export interface TlsKeys {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
  /** When the certificate begins and ends, in ms since 1970. */
  readonly validFromMs: number;
  readonly validToMs: number;
}

/** Reads the files. Throws MALFORMED_REQUEST that names the file and what is wrong with it. */
export function readTlsFiles({ cert, key, clientCa }: TlsFiles): TlsKeys {
  const certPem = read(cert);
  const keyPem = read(key);
  const first = certificateOf(cert, certPem);
  if (!first.checkPrivateKey(privateKeyOf(key, keyPem)))
    throw fault(key, `is not the key of the first certificate in '${cert.path}'`);
  const ca = clientCa === undefined ? undefined : read(clientCa);
  if (clientCa !== undefined) certificateOf(clientCa, ca as Buffer);
  const validFromMs = Date.parse(first.validFrom);
  return { cert: certPem, key: keyPem, ca, validFromMs, validToMs: Date.parse(first.validTo) };
}

export function sameKeys(one: TlsKeys, other: TlsKeys): boolean {
  const sameCa = one.ca === undefined || other.ca === undefined ? one.ca === other.ca : one.ca.equals(other.ca);
  return one.cert.equals(other.cert) && one.key.equals(other.key) && sameCa;
}

function read(file: TlsFile): Buffer {
  try {
    return readFileSync(file.path);
  } catch (cause) {
    throw fault(file, `cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
}

/** The first of a file. */
function certificateOf(file: TlsFile, pem: Buffer): X509Certificate {
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw fault(file, 'holds no certificate in PEM');
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw fault(file, `holds a certificate that cannot be read: ${(cause as Error).message}`, cause);
  }
}

function privateKeyOf(file: TlsFile, pem: Buffer): KeyObject {
  if (!pem.includes('PRIVATE KEY-----')) throw fault(file, 'holds no private key in PEM');
  if (pem.includes('ENCRYPTED')) throw fault(file, 'holds a key with a passphrase: expected one without');
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw fault(file, `holds a private key that cannot be read: ${(cause as Error).message}`, cause);
  }
}

function fault({ setting, path }: TlsFile, what: string, cause?: unknown): ServingError {
  return new ServingError('MALFORMED_REQUEST', `${setting}: '${path}' ${what}`, { cause });
}
