/** A number as people read it: three digits that matter, whole numbers whole. */
export function numberText(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : `${Number(value.toPrecision(3))}`;
}

/** A share in percent, three digits that matter. */
export function percentText(share: number): string {
  return `${numberText(Number((share * 100).toPrecision(3)))} %`;
}

/** What a proof is worth. */
export function chanceText(alpha: number): string {
  return ` (wrong with a chance of at most ${percentText(alpha)})`;
}
