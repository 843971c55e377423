/**
 * How much a request matters when there is not room or time for all: what is named last is refused first. The names of
 * Google's SRE book (`critical_plus`, `critical`, `sheddable_plus`, `sheddable`), and `default` for who says nothing.
 */
export const CRITICALITIES = ['critical_plus', 'critical', 'default', 'sheddable_plus', 'sheddable'] as const;

export type CriticalityName = (typeof CRITICALITIES)[number];

/** Place in `CRITICALITIES`: 0 matters most. */
export type Criticality = number;

export const DEFAULT_CRITICALITY: Criticality = CRITICALITIES.indexOf('default');

/** The level of that name, in any case, `-` for `_`; undefined: there is none. */
export function criticalityNamed(text: string): Criticality | undefined {
  const index = (CRITICALITIES as readonly string[]).indexOf(text.trim().toLowerCase().replaceAll('-', '_'));
  return index < 0 ? undefined : index;
}
