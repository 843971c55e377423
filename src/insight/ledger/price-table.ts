import { PRICE_KINDS, type PriceKind } from '../../core/index.js';

/** What a device costs, as the configuration has it; prices by the hour. */
export interface PriceEntry {
  readonly market?: number | undefined;
  readonly spot?: number | undefined;
  readonly amortised?: number | undefined;
  /** `amortised`, computed. */
  readonly purchase?: { readonly price: number; readonly years: number; readonly utilisation: number } | undefined;
  /** Which one counts; absent: the first that is given of market, amortised, spot. */
  readonly use?: 'market' | 'amortised' | 'spot' | undefined;
}

export interface DevicePrice {
  readonly kind: PriceKind;
  readonly perHour: number;
}

const NO_PRICE: DevicePrice = Object.freeze({ kind: 'none', perHour: 0 });
const HOURS_A_YEAR = 365.25 * 24;

/** The price in use of a device, by the pattern that says most: its name, its kind (`cuda:*`), all (`*`). */
export function priceOf(device: string, table: Readonly<Record<string, PriceEntry>>): DevicePrice {
  const kind = device.split(':')[0] as string;
  const pattern = [device, `${kind}:*`, '*'].find((name) => Object.hasOwn(table, name));
  if (pattern === undefined) return NO_PRICE;
  const entry = table[pattern] as PriceEntry;
  const prices = { market: entry.market, amortised: amortisedOf(entry), spot: entry.spot, none: undefined };
  const used = entry.use ?? PRICE_KINDS.find((name) => prices[name] !== undefined) ?? 'none';
  const perHour = prices[used];
  return perHour === undefined ? NO_PRICE : { kind: used, perHour };
}

/** Devices that the table names one by one: they cost whether or not anything runs there. */
export function devicesNamedIn(table: Readonly<Record<string, PriceEntry>>): string[] {
  return Object.keys(table).filter((name) => !name.includes('*'));
}

/** The purchase spread over the hours of its life in which it is of use. */
function amortisedOf({ amortised, purchase }: PriceEntry): number | undefined {
  if (purchase === undefined) return amortised;
  return purchase.price / (purchase.years * HOURS_A_YEAR * purchase.utilisation);
}
