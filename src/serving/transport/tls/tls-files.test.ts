import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTlsFiles, sameKeys } from './tls-files.js';

const fixture = (name: string) => fileURLToPath(new URL(`../../../../test/fixtures/tls/${name}`, import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-tls-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function written(text: string): string {
  const path = join(folder, 'written.pem');
  writeFileSync(path, text);
  return path;
}

const filesOf = (cert: string, key: string, clientCa?: string) => ({
  cert: { setting: 'certFile', path: cert },
  key: { setting: 'keyFile', path: key },
  clientCa: clientCa === undefined ? undefined : { setting: 'clientCaFile', path: clientCa },
});
const CERT = fixture('server.pem');
const KEY = fixture('server.key');
const CA = fixture('ca.pem');

function encryptedKey(): string {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
  });
  return privateKey;
}

describe('the files of TLS', () => {
  it('are read, with the dates of the certificate', () => {
    const keys = readTlsFiles(filesOf(CERT, KEY, CA));
    expect(keys.ca).toBeDefined();
    expect(keys.validToMs).toBeGreaterThan(keys.validFromMs);
    expect(readTlsFiles(filesOf(CERT, KEY)).ca).toBeUndefined();
  });

  it.each<[string, () => ReturnType<typeof filesOf>, RegExp]>([
    ['a file that is not there', () => filesOf('/none', KEY), /^certFile: '\/none' cannot be read \(ENOENT\)$/],
    ['a folder', () => filesOf(CERT, folder), /^keyFile: .* cannot be read \(EISDIR\)$/],
    ['no file of authorities', () => filesOf(CERT, KEY, '/none'), /^clientCaFile: '\/none' cannot be read \(ENOENT\)$/],
    ['a key as certificate', () => filesOf(KEY, KEY), /^certFile: '.*server\.key' holds no certificate in PEM$/],
    ['a certificate as key', () => filesOf(CERT, CERT), /^keyFile: '.*server\.pem' holds no private key in PEM$/],
    ['an empty file', () => filesOf(written(''), KEY), /^certFile: .* holds no certificate in PEM$/],
    ['a key as authority', () => filesOf(CERT, KEY, KEY), /^clientCaFile: .* holds no certificate in PEM$/],
    [
      'a broken certificate',
      () => filesOf(written('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'), KEY),
      /^certFile: .* holds a certificate that cannot be read: /,
    ],
    [
      'a broken key',
      () => filesOf(CERT, written('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n')),
      /^keyFile: .* holds a private key that cannot be read: /,
    ],
    ['a key with a passphrase', () => filesOf(CERT, written(encryptedKey())), /^keyFile: .* expected one without$/],
    [
      "another certificate's key",
      () => filesOf(CERT, fixture('client.key')),
      /^keyFile: '.*client\.key' is not the key of the first certificate in '.*server\.pem'$/,
    ],
  ])('are refused by name: %s', (_, files, message) => {
    expect(() => readTlsFiles(files())).toThrow(
      expect.objectContaining({ reason: 'MALFORMED_REQUEST', message: expect.stringMatching(message) }),
    );
  });

  it('are the same where their bytes are', () => {
    const copy = join(folder, 'cert.pem');
    copyFileSync(CERT, copy);
    const keys = readTlsFiles(filesOf(CERT, KEY));
    expect(sameKeys(keys, readTlsFiles(filesOf(copy, KEY)))).toBe(true);
    expect(sameKeys(keys, readTlsFiles(filesOf(CERT, KEY, CA)))).toBe(false);
    expect(sameKeys(keys, readTlsFiles(filesOf(fixture('client.pem'), fixture('client.key'))))).toBe(false);
  });
});
