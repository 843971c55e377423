/** A number as people read it: three digits that matter, whole numbers whole. */
export function numberText(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : `${Number(value.toPrecision(3))}`;
}

/** A share in percent, three digits that matter. */
export function percentText(share: number): string {
  return `${numberText(Number((share * 100).toPrecision(3)))} %`;
}
