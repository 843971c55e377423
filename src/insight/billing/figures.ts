import type { CostFigures, RollupKind, RollupRow } from '../../core/index.js';
import { sumOfKnown } from './period-sums.js';

/** Kinds of requests that callers asked for. */
const ASKED_FOR: readonly RollupKind[] = ['direct', 'canary'];

/** Sums of rows on the way to `CostFigures`. */
export class FigureSums {
  readonly #kinds = new Map<RollupKind, number>();
  readonly #anyRequest: boolean;
  #direct = 0;
  #waste = 0;
  #idle = 0;
  #deviceSeconds = 0;
  #idleSeconds = 0;
  #requests = 0;
  #rows = 0;
  #energyJoules: number | undefined;
  #carbonGrams: number | undefined;

  /** `anyRequest`: requests count whatever their kind, as they are told apart by it. */
  constructor(anyRequest: boolean) {
    this.#anyRequest = anyRequest;
  }

  add({ kind, amount, deviceSeconds, requests, rows, energyJoules, carbonGrams }: RollupRow): void {
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + amount);
    if (kind === 'idle') {
      this.#idle += amount;
      this.#idleSeconds += deviceSeconds;
    } else {
      if (kind === 'direct') this.#direct += amount;
      else this.#waste += amount;
      this.#deviceSeconds += deviceSeconds;
    }
    if (this.#anyRequest || ASKED_FOR.includes(kind)) {
      this.#requests += requests;
      this.#rows += rows;
    }
    this.#energyJoules = sumOfKnown(this.#energyJoules, energyJoules);
    this.#carbonGrams = sumOfKnown(this.#carbonGrams, carbonGrams);
  }

  figures(): CostFigures {
    const amount = this.#direct + this.#waste + this.#idle;
    return {
      amount,
      direct: this.#direct,
      waste: this.#waste,
      idle: this.#idle,
      kinds: Object.fromEntries(this.#kinds),
      deviceSeconds: this.#deviceSeconds,
      idleSeconds: this.#idleSeconds,
      requests: this.#requests,
      rows: this.#rows,
      perThousandRequests: this.#requests === 0 ? undefined : (amount / this.#requests) * 1e3,
      perMillionRows: this.#rows === 0 ? undefined : (amount / this.#rows) * 1e6,
      energyJoules: this.#energyJoules,
      carbonGrams: this.#carbonGrams,
    };
  }
}
