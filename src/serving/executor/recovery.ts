/** How an instance comes back after its lanes were lost. Times in milliseconds. */
export interface RecoveryPolicy {
  /** Wait before the first restart; doubled with each further failure in a row, up to `maxBackoffMs`. */
  readonly firstBackoffMs: number;
  readonly maxBackoffMs: number;
  /** Failures in a row after which a lane is quarantined. */
  readonly quarantineAfter: number;
  /** How long a quarantined lane stays out before it is tried once more. */
  readonly quarantineMs: number;
}

export const DEFAULT_RECOVERY: RecoveryPolicy = {
  firstBackoffMs: 100,
  maxBackoffMs: 30_000,
  quarantineAfter: 5,
  quarantineMs: 300_000,
};

export interface Recovery {
  readonly state: 'backing-off' | 'quarantined';
  readonly delayMs: number;
}

/** What follows the `failures`th failure in a row (1 = the first). Any run that its lane outlives starts the count anew. */
export function decideRecovery(failures: number, policy: RecoveryPolicy): Recovery {
  if (failures >= policy.quarantineAfter) return { state: 'quarantined', delayMs: policy.quarantineMs };
  const delayMs = Math.min(policy.maxBackoffMs, policy.firstBackoffMs * 2 ** (failures - 1));
  return { state: 'backing-off', delayMs };
}
