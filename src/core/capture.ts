/** What is left out of the captures of one model, by name. */
export interface CaptureRedaction {
  /** Their bytes are not kept; requests with one cannot be replayed. */
  readonly dropInputs: readonly string[];
  /** A keyed hash of their bytes is kept; the key is drawn when the process starts, and kept nowhere. */
  readonly hashInputs: readonly string[];
  readonly dropOutputs: readonly string[];
  /** Request parameters whose values are not kept. */
  readonly maskParameters: readonly string[];
}

/** Which requests are captured. Plain data: threads are sent it. */
export interface CaptureRules {
  /** Percent of the requests by model; `*` = every model that is not named. */
  readonly percent: Readonly<Record<string, number>>;
  /** By model, `*` as above. */
  readonly redact: Readonly<Record<string, CaptureRedaction>>;
  /** What is kept of the tenant's name. */
  readonly tenant: 'keep' | 'hash' | 'drop';
}

/** Why a request that was drawn is not captured. */
export const CAPTURE_DROPS = ['too_large', 'rate', 'busy', 'write_failed'] as const;
export type CaptureDrop = (typeof CAPTURE_DROPS)[number];

/** Figures of captures; counters since the start. */
export interface CaptureFigures {
  /** Rows that lie in files. */
  readonly written: number;
  readonly dropped: Readonly<Record<CaptureDrop, number>>;
  readonly files: number;
  readonly bytes: number;
}

/** What is captured, as operators see and set it. */
export interface CaptureStatus {
  /** Undefined: nothing can be captured, the configuration names no folder. */
  readonly folder: string | undefined;
  readonly percent: Readonly<Record<string, number>>;
  readonly figures: CaptureFigures;
}

/** Captures on and off while the gateway runs; in force on every thread some milliseconds later. */
export interface CaptureControl {
  status(): CaptureStatus;
  /** Percent of the requests of `model` (`*`: of those not named) from now on; 0 = none. Throws UNSUPPORTED without a folder. */
  set(model: string, percent: number): CaptureStatus;
}
