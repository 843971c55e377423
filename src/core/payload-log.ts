import type { CaptureDrop, CaptureRedaction } from './capture.js';

/** What is logged of the requests of some models. */
export interface PayloadRule {
  /** Name of a model; `*` in it stands for any characters. */
  readonly model: string;
  readonly percent: number;
  /** Of requests that fail, where that is more. */
  readonly errorPercent: number;
  readonly request: boolean;
  readonly answer: boolean;
  /** Headers or metadata keys, in lower case; all others are never looked at. */
  readonly headers: readonly string[];
  readonly redact: CaptureRedaction & {
    /** Headers whose values are kept as `***`, or as a keyed hash. */
    readonly maskHeaders: readonly string[];
    readonly hashHeaders: readonly string[];
  };
  /** Of inputs and outputs together; of larger ones all is kept but their elements. */
  readonly maxRowBytes: number;
}

/** Plain data: threads are sent it. */
export interface PayloadRules {
  /** The first one that fits a model counts; where none fits nothing is logged. */
  readonly models: readonly PayloadRule[];
  readonly tenant: 'keep' | 'hash' | 'drop';
}

/** Why a sink has not taken a row. */
export const SINK_DROPS = ['queue_full', 'failed', 'refused', 'closed'] as const;
export type SinkDrop = (typeof SINK_DROPS)[number];

/** What became of the rows of one sink; counters since the start. */
export interface SinkFigures {
  readonly name: string;
  /** Rows that lie in files, or that the receiver has taken, and their bytes as written or sent. */
  readonly rows: number;
  readonly bytes: number;
  readonly files: number;
  readonly retries: number;
  /** Rows by why they were not taken. `queue_full`: it is slower than they come; `failed`: after all tries; `refused`: for good; `closed`: at the end of the gateway. */
  readonly dropped: Readonly<Record<SinkDrop, number>>;
  /** Bytes that wait in it now. */
  readonly queuedBytes: number;
}

export interface PayloadFigures {
  /** Rows that no sink was given, by cause. */
  readonly dropped: Readonly<Record<CaptureDrop, number>>;
  readonly sinks: readonly SinkFigures[];
}
