import type { ServerConfig } from '../config/index.js';
import {
  CAPTURE_DROPS,
  type CaptureControl,
  type CaptureDrop,
  type CaptureFigures,
  type CaptureRules,
  type CaptureStatus,
  type Clock,
  type Log,
  ServingError,
} from '../core/index.js';
import { CaptureLine, type CaptureTapSettings } from './capture-line.js';

export interface CaptureParts {
  /** Threads that take requests: each has its part of the bounds. */
  readonly threads: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Undefined where the configuration names no folder: then requests pass nothing. */
export function openCapture({ capture }: ServerConfig, parts: CaptureParts): Capture | undefined {
  const { folder } = capture;
  return folder === undefined ? undefined : new Capture({ ...capture, folder }, parts);
}

/** Time for the last file of a gateway that ends. */
const CLOSE_MS = 30_000;

/** The captures of a gateway: which requests, to one folder of files. */
export class Capture implements CaptureControl {
  readonly #config: ServerConfig['capture'] & { readonly folder: string };
  readonly #log: Log;
  readonly #line: CaptureLine;
  #rules: CaptureRules;

  constructor(config: ServerConfig['capture'] & { readonly folder: string }, parts: CaptureParts) {
    this.#config = config;
    this.#log = parts.log;
    const { percent, redact, tenant, folder, fileBytes, fileSecs, maxBytes, maxPendingBytes } = config;
    this.#rules = { percent, redact, tenant };
    this.#line = new CaptureLine({
      name: 'capture',
      rules: this.#rulesData(),
      limits: config,
      sinks: [
        {
          kind: 'parquet',
          name: 'files',
          folder,
          prefix: 'capture',
          fileBytes,
          fileMs: fileSecs * 1000,
          maxBytes,
          maxFiles: Number.POSITIVE_INFINITY,
          keepMs: Number.POSITIVE_INFINITY,
          // The next file is gathered while one is written.
          maxQueueBytes: 2 * fileBytes + maxPendingBytes,
        },
      ],
      closeMs: CLOSE_MS,
      ...parts,
    });
  }

  tapSettings(index: number): CaptureTapSettings {
    return this.#line.tapSettings(index);
  }

  status(): CaptureStatus {
    return { folder: this.#config.folder, percent: this.#rules.percent, figures: this.figures() };
  }

  set(model: string, percent: number): CaptureStatus {
    this.#rules = { ...this.#rules, percent: { ...this.#rules.percent, [model]: percent } };
    this.#line.follow(this.#rulesData());
    this.#log.info('capture changed', { model, percent });
    return this.status();
  }

  figures(): CaptureFigures {
    const dropped = this.#line.dropped();
    const [files] = this.#line.sinks();
    const lost = Object.values(files?.dropped ?? {}).reduce((sum, rows) => sum + rows, 0);
    return {
      written: files?.rows ?? 0,
      files: files?.files ?? 0,
      bytes: files?.bytes ?? 0,
      dropped: { ...dropped, write_failed: lost },
    };
  }

  /** Writes what is gathered. Requests are over. */
  close(): Promise<void> {
    return this.#line.close();
  }

  #rulesData() {
    return { kind: 'capture', rules: this.#rules, maxRequestBytes: this.#config.maxRequestBytes } as const;
  }
}

/** Where the configuration names no folder. */
export const NO_CAPTURE: CaptureControl = {
  status: () => ({ folder: undefined, percent: {}, figures: { written: 0, files: 0, bytes: 0, dropped: NO_DROPS } }),
  set: () => {
    throw new ServingError(
      'UNSUPPORTED',
      'nothing can be captured: the configuration names no folder (capture.folder)',
    );
  },
};

const NO_DROPS = Object.fromEntries(CAPTURE_DROPS.map((why) => [why, 0])) as Record<CaptureDrop, number>;
