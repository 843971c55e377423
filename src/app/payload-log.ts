import { readFileSync } from 'node:fs';
import type { SinkSettings } from '../capture/index.js';
import type { ServerConfig } from '../config/index.js';
import { type PayloadFigures, ServingError } from '../core/index.js';
import type { CaptureParts } from './capture.js';
import { CaptureLine, type CaptureTapSettings } from './capture-line.js';

type Config = ServerConfig['payloadLog'];

/** Undefined where the configuration names no sink: then requests pass nothing. Throws MALFORMED_REQUEST for files that cannot be read. */
export function openPayloadLog({ payloadLog }: ServerConfig, parts: CaptureParts): PayloadLog | undefined {
  const { parquet, http, kafka } = payloadLog;
  const sinks = [...parquet.map(parquetSettings), ...http.map(httpSettings), ...kafka.map(kafkaSettings)];
  return sinks.length === 0 ? undefined : new PayloadLog(payloadLog, sinks, parts);
}

/** The payload log of a gateway: requests and answers by rules, to all its sinks. */
export class PayloadLog {
  readonly #line: CaptureLine;

  constructor(config: Config, sinks: readonly SinkSettings[], parts: CaptureParts) {
    const { models, tenant, closeSecs } = config;
    this.#line = new CaptureLine({
      name: 'payload log',
      rules: { kind: 'payload', rules: { models, tenant } },
      limits: config,
      sinks,
      closeMs: closeSecs * 1000,
      ...parts,
    });
  }

  tapSettings(index: number): CaptureTapSettings {
    return this.#line.tapSettings(index);
  }

  figures(): PayloadFigures {
    return { dropped: this.#line.dropped(), sinks: this.#line.sinks() };
  }

  /** Delivers what is gathered, for a while. Requests are over. */
  close(): Promise<void> {
    return this.#line.close();
  }
}

function parquetSettings({ fileSecs, keepSecs, ...others }: Config['parquet'][number]): SinkSettings {
  return { kind: 'parquet', ...others, prefix: 'payload', fileMs: fileSecs * 1000, keepMs: keepSecs * 1000 };
}

function httpSettings({ tokenFile, ...others }: Config['http'][number]): SinkSettings {
  const token = tokenFile === undefined ? undefined : textOf(others.name, tokenFile).trim();
  return { kind: 'http', ...others, token };
}

function kafkaSettings({ tls, sasl, ...others }: Config['kafka'][number]): SinkSettings {
  const { name } = others;
  const part = (key: string, path: string | undefined) => (path === undefined ? {} : { [key]: textOf(name, path) });
  return {
    kind: 'kafka',
    ...others,
    tls: tls && { ...part('ca', tls.caFile), ...part('cert', tls.certFile), ...part('key', tls.keyFile) },
    sasl: sasl && {
      mechanism: sasl.mechanism,
      username: sasl.username,
      password: textOf(name, sasl.passwordFile).trim(),
    },
  };
}

function textOf(sink: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ServingError('MALFORMED_REQUEST', `sink '${sink}' of the payload log: ${file} cannot be read (${code})`, {
      cause,
    });
  }
}
