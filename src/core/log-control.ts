/** What the log writes (Triton's logging extension). */
export interface LogSettings {
  /** Empty = standard error. */
  readonly file: string;
  readonly info: boolean;
  readonly warning: boolean;
  readonly error: boolean;
  /** 0 = none; 1 and above: debug. */
  readonly verboseLevel: number;
  /** `default`, `ISO8601` or `json`. */
  readonly format: string;
}

/** The log's settings at run time. */
export interface LogControl {
  settings(): LogSettings;
  /** From the next line on, for all threads. Throws MALFORMED_REQUEST for a format that is none. */
  change(changes: Partial<Omit<LogSettings, 'file'>>): void;
}
