/** Groups of calls that an operator may keep for who knows a key, by Triton's names (`restricted_features.h`). */
export const API_GROUPS = [
  'health',
  'metadata',
  'inference',
  'shared-memory',
  'model-config',
  'model-repository',
  'statistics',
  'trace',
  'logging',
] as const;

/** What a call belongs to. Every route and method names one. */
export type ApiGroup = (typeof API_GROUPS)[number];

/** Calls of these groups need `header` with `value`. */
export interface Restriction {
  readonly groups: readonly ApiGroup[];
  /** In lower case. */
  readonly header: string;
  readonly value: string;
}
