import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ServerConfig } from '../config/index.js';
import { ServingError } from '../core/index.js';
import type { TlsKeys } from '../serving/transport/index.js';

/** Undefined: no TLS. Throws MALFORMED_REQUEST where a file cannot be read, or does not hold what it should. */
export function grpcTls({
  enabled,
  mutual,
  certFile,
  keyFile,
  rootFile,
}: ServerConfig['grpc']['tls']): TlsKeys | undefined {
  if (!enabled && !mutual) return undefined;
  const keys: TlsKeys = {
    cert: read('grpc.tls.certFile', certFile ?? ''),
    key: read('grpc.tls.keyFile', keyFile ?? ''),
    ...(rootFile === undefined ? {} : { ca: read('grpc.tls.rootFile', rootFile) }),
    mutual,
  };
  try {
    createSecureContext(keys);
  } catch (cause) {
    throw new ServingError('MALFORMED_REQUEST', `grpc.tls: ${(cause as Error).message}`, { cause });
  }
  return keys;
}

function read(what: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ServingError('MALFORMED_REQUEST', `${what}: '${path}' cannot be read (${code})`, { cause });
  }
}
