import { InvalidArgumentError } from 'commander';

/** Reads a whole number from 1 of at most so many digits. */
export function countOfDigits(most: number): (text: string) => number {
  const digits = new RegExp(`^\\d{1,${most}}$`);
  return (text) => {
    if (!digits.test(text) || Number(text) === 0) throw new InvalidArgumentError('expected a whole number from 1');
    return Number(text);
  };
}

/** Reads a number above 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('expected a number above 0');
  return value;
}
