import type { MoveTable } from './state-machine.js';

/** Whether a version that fails again and again gets its share of a split. */
export type EjectionState = 'admitted' | 'ejected' | 'probing';

export const EJECTION_MOVES = {
  admitted: ['ejected'],
  /** Its time is over and a request came that is to find out. */
  ejected: ['probing'],
  probing: ['admitted', 'ejected'],
} as const satisfies MoveTable<EjectionState>;

/** When a version is taken out of its splits. Plain data. */
export interface EjectionSettings {
  /** Failures in a row; 0 = they are not counted. */
  readonly consecutiveFailures: number;
  /** Failures among the last `window` outcomes, in percent; 0 = they are not counted. */
  readonly errorPercent: number;
  readonly window: number;
  /** How long the first ejection lasts; each one that follows soon after lasts twice as long. */
  readonly seconds: number;
  readonly maxSeconds: number;
}

/** What is known of one version. */
export interface EjectionFacts {
  readonly state: EjectionState;
  /** Ejections in a row, the present one included. */
  readonly times: number;
  /** End of the ejection, or of the last one; monotonic nanoseconds. */
  readonly untilNs: number;
  readonly failuresInRow: number;
  /** Of the last outcomes, at most `window`. */
  readonly outcomes: number;
  readonly failures: number;
}

export type EjectionMove =
  | { readonly to: 'ejected'; readonly times: number; readonly untilNs: number; readonly why: string }
  | { readonly to: 'admitted'; readonly why: string };

/**
 * Pure: what follows from an outcome, or undefined. What is still running when a version is ejected says nothing of it any more:
 * only the probe's own outcome moves a version that is probed.
 */
export function decideEjection(
  settings: EjectionSettings,
  facts: EjectionFacts,
  outcome: 'answered' | 'failed',
  nowNs: number,
): EjectionMove | undefined {
  if (facts.state === 'ejected') return undefined;
  if (facts.state === 'probing')
    return outcome === 'answered'
      ? { to: 'admitted', why: 'it answered a request that tried it' }
      : ejected(settings, facts.times + 1, nowNs, 'it failed a request that tried it');
  const why = whyToEject(settings, facts);
  if (why === undefined) return undefined;
  const soon = facts.times > 0 && nowNs - facts.untilNs < settings.maxSeconds * 1e9;
  return ejected(settings, soon ? facts.times + 1 : 1, nowNs, why);
}

function whyToEject(
  { consecutiveFailures, errorPercent, window }: EjectionSettings,
  { failuresInRow, outcomes, failures }: EjectionFacts,
): string | undefined {
  if (consecutiveFailures > 0 && failuresInRow >= consecutiveFailures)
    return `it failed ${failuresInRow} times in a row`;
  if (errorPercent > 0 && outcomes >= window && failures * 100 >= errorPercent * outcomes)
    return `it failed ${failures} of the last ${outcomes} requests`;
  return undefined;
}

function ejected(settings: EjectionSettings, times: number, nowNs: number, why: string): EjectionMove {
  const seconds = Math.min(settings.seconds * 2 ** (times - 1), settings.maxSeconds);
  return { to: 'ejected', times, untilNs: nowNs + seconds * 1e9, why };
}
