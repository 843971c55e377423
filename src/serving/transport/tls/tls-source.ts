import type { Clock, Log } from '../../../core/index.js';
import { watchFiles } from './file-watch.js';
import { readTlsFiles, sameKeys, type TlsFiles, type TlsKeys } from './tls-files.js';

/** What a server needs to hear of its files. */
export interface TlsSurroundings {
  /** As messages name the server: `HTTP`. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A server's TLS files: read at once, and again when they change. */
export class TlsSource {
  readonly files: TlsFiles;
  readonly #surroundings: TlsSurroundings;
  #keys: TlsKeys;
  #stop: (() => void) | undefined;

  /** Throws MALFORMED_REQUEST that names the file and what is wrong with it. */
  constructor(files: TlsFiles, surroundings: TlsSurroundings) {
    this.files = files;
    this.#surroundings = surroundings;
    this.#keys = readTlsFiles(files);
    this.#warnOfDates();
  }

  get keys(): TlsKeys {
    return this.#keys;
  }

  /** From now on `apply` is given what the files hold whenever that changes. What cannot be used, or `apply` throws at, is logged, and what was before stays. */
  follow(apply: (keys: TlsKeys) => void): void {
    const { cert, key, clientCa } = this.files;
    const { name, clock, log } = this.#surroundings;
    const paths = [cert, key, ...(clientCa === undefined ? [] : [clientCa])].map(({ path }) => path);
    this.#stop = watchFiles(
      paths,
      clock,
      () => this.#changed(apply),
      (cause) => log.warn(`${name}: TLS files are not followed: a change needs a restart`, { cause }),
    );
  }

  close(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #changed(apply: (keys: TlsKeys) => void): void {
    const { name, log } = this.#surroundings;
    try {
      const keys = readTlsFiles(this.files);
      if (sameKeys(keys, this.#keys)) return;
      apply(keys);
      this.#keys = keys;
    } catch (thrown) {
      log.error(`${name}: the TLS files changed and cannot be used: connections get what was before`, {
        message: (thrown as Error).message,
      });
      return;
    }
    log.info(`${name}: new connections get the TLS files as they are now`, {
      validTo: new Date(this.#keys.validToMs).toISOString(),
    });
    this.#warnOfDates();
  }

  #warnOfDates(): void {
    const { name, clock, log } = this.#surroundings;
    const { validFromMs, validToMs } = this.#keys;
    const nowMs = clock.wallMs();
    if (nowMs >= validFromMs && nowMs <= validToMs) return;
    const dates = { validFrom: new Date(validFromMs).toISOString(), validTo: new Date(validToMs).toISOString() };
    log.warn(`${name}: the certificate is not valid now: clients will refuse it`, dates);
  }
}
