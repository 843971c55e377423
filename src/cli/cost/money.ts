/**
 * Rounds amounts so that they add up to a rounded sum: each is cut off at its last digit, and those that lost most get one more (largest
 * remainder). `units`: the sum, in units of the last digit.
 */
export function roundedTo(units: number, amounts: readonly number[], decimals: number): number[] {
  const exact = amounts.map((amount) => amount * 10 ** decimals);
  const rounded = exact.map(Math.floor);
  let missing = units - rounded.reduce((sum, one) => sum + one, 0);
  const byLoss = exact
    .map((amount, index) => ({ index, loss: amount - Math.floor(amount) }))
    .sort((one, other) => other.loss - one.loss || one.index - other.index);
  for (let i = 0; missing > 0 && byLoss.length > 0; i++, missing--) rounded[byLoss[i % byLoss.length]!.index]!++;
  for (let i = byLoss.length - 1; missing < 0 && i >= 0; i--, missing++) rounded[byLoss[i]!.index]!--;
  return rounded;
}

const LEAST_DECIMALS = 2;
const MOST_DECIMALS = 10;
/** Digits of a total that are shown at least. */
const DIGITS = 5;

/** Digits behind the point that show enough of an amount. */
export function decimalsFor(amount: number): number {
  if (!(amount > 0)) return LEAST_DECIMALS;
  return Math.min(MOST_DECIMALS, Math.max(LEAST_DECIMALS, DIGITS - 1 - Math.floor(Math.log10(amount))));
}

/** In units of the last digit. */
export function unitsOf(amount: number, decimals: number): number {
  return Math.round(amount * 10 ** decimals);
}

export function moneyText(units: number, decimals: number): string {
  return (units / 10 ** decimals).toFixed(decimals);
}
