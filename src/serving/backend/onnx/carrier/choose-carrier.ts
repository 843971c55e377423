import { lifted, RunTimes, sizeClass } from './run-times.js';

/** `pool`: libuv's threads. `thread`: one of its own. `sync`: the thread that asks. */
export type CarrierName = 'pool' | 'thread' | 'sync';
/** `auto`: by what runs take. */
export type CarrierSetting = 'auto' | CarrierName;
export const CARRIER_SETTINGS = ['auto', 'pool', 'thread', 'sync'] as const satisfies readonly CarrierSetting[];

/** Times that the choice turns on, in nanoseconds. Measured in `decisions/0011`. */
export interface CarrierLimits {
  /** A run whose upper estimate is below it costs less than a hop to another thread and back. */
  readonly shortNs: number;
  /** A run that took no more with its hop is worth a trial without. */
  readonly trialNs: number;
  /** One synchronous run of more ends synchronous runs of the version for a while. */
  readonly overrunNs: number;
  /** Runs that the pool takes longer for get a thread of their own, be it they are long or the pool is crowded. */
  readonly longNs: number;
  /** Wait after an overrun; doubled with each up to `longestWaitNs`, and back to this after as long without. */
  readonly firstWaitNs: number;
  readonly longestWaitNs: number;
}

export const CARRIER_LIMITS: CarrierLimits = {
  shortNs: 30e3,
  trialNs: 80e3,
  overrunNs: 300e3,
  longNs: 500e3,
  firstWaitNs: 1e9,
  longestWaitNs: 300e9,
};

/** So many runs, or so much time on the pool, before runs are called long: the first ones touch new memory and cold code. */
const RUNS_BEFORE_LONG = 64;
const NS_BEFORE_LONG = 200e6;
/** Once synchronous, a class stays so until its estimate is so much above the limit. */
const SLACK = 1.5;

/** How a version's runs are carried, by what figures and why. */
export interface CarrierState {
  /** Of the quickest ones, where sizes differ. */
  readonly carrier: CarrierName;
  readonly why: string;
  /** Upper estimate of what runs of late took, in microseconds; with the hop where it is the pool's. */
  readonly runUs: number;
}

/**
 * Chooses how each run of a version on one device is carried. Pure: fed with sizes, times and what runs took. A run is
 * synchronous only where all that is known says it is shorter than a hop; what turns out longer than `overrunNs` is never
 * followed by another within the wait. From the pool to a thread of its own it goes once, never back.
 */
export class CarrierChoice {
  readonly setting: CarrierSetting;
  readonly #limits: CarrierLimits;
  /** False: this version's runs never hold the thread that asks, unless the setting says so. */
  readonly #mayHold: boolean;
  readonly #times: RunTimes;
  /** Classes that are synchronous now. */
  readonly #short = new Set<number>();
  #poolUpperNs = Number.NaN;
  #poolRuns = 0;
  #poolNs = 0;
  #long = false;
  #syncFromNs = Number.NEGATIVE_INFINITY;
  #waitNs: number;
  #carrier: CarrierName;
  #why: string;
  #runNs = 0;
  #pickedSync: boolean;
  /** Called when `state` names another carrier than before. */
  onChange: (from: CarrierName) => void = () => {};

  constructor(setting: CarrierSetting, mayHold = true, limits: CarrierLimits = CARRIER_LIMITS) {
    this.setting = setting;
    this.#limits = limits;
    this.#mayHold = mayHold;
    this.#times = new RunTimes(limits.shortNs * 4);
    this.#waitNs = limits.firstWaitNs;
    this.#carrier = setting === 'auto' ? 'pool' : setting;
    this.#why = setting === 'auto' ? 'nothing is known of its runs yet' : 'its config says so';
    this.#pickedSync = setting === 'sync';
  }

  /** How a run over so many input bytes is carried. */
  pick(bytes: number, nowNs: number): CarrierName {
    if (this.setting !== 'auto') return this.setting;
    this.#pickedSync = this.#mayHold && nowNs >= this.#syncFromNs && this.#isShort(sizeClass(bytes));
    if (this.#pickedSync) return 'sync';
    return this.#long ? 'thread' : 'pool';
  }

  /** What a synchronous run over so many bytes is expected to take at most. */
  expectedNs(bytes: number): number {
    const guess = this.#times.guessNs(sizeClass(bytes));
    return Number.isNaN(guess) ? this.#limits.trialNs : guess;
  }

  /** What carries a run that may not be synchronous now. */
  get elsewhere(): CarrierName {
    return this.#long || this.setting === 'thread' ? 'thread' : 'pool';
  }

  /** True where the run asked for last was to be synchronous: most likely the next one is. */
  get synchronous(): boolean {
    return this.#pickedSync;
  }

  get state(): CarrierState {
    return { carrier: this.#carrier, why: this.#why, runUs: Math.round(this.#runNs / 100) / 10 };
  }

  /** A run ended; `ns` is its own time where it was synchronous or on its thread, with the hop on the pool. */
  ran(carrier: CarrierName, bytes: number, ns: number, nowNs: number): void {
    const of = sizeClass(bytes);
    if (carrier === 'pool') {
      this.#times.addWithHop(of, ns);
      this.#poolUpperNs = lifted(this.#poolUpperNs, Math.min(ns, this.#limits.longNs * 8));
      this.#runNs = this.#poolUpperNs;
      this.#poolRuns++;
      this.#poolNs += ns;
      const known = this.#poolRuns >= RUNS_BEFORE_LONG || this.#poolNs >= NS_BEFORE_LONG;
      if (known && this.#poolUpperNs > this.#limits.longNs && !this.#long) {
        this.#long = true;
        this.#review('runs are long, or the pool is crowded');
      }
    } else {
      this.#times.addExact(of, ns);
      this.#runNs = this.#times.upperNs(of);
      if (carrier === 'sync') this.#ranSync(of, ns, nowNs);
    }
  }

  #ranSync(of: number, ns: number, nowNs: number): void {
    const { overrunNs, firstWaitNs, longestWaitNs } = this.#limits;
    if (ns > overrunNs) {
      const since = nowNs - this.#syncFromNs;
      this.#waitNs = since > longestWaitNs ? firstWaitNs : Math.min(longestWaitNs, this.#waitNs * 2);
      this.#syncFromNs = nowNs + this.#waitNs;
      this.#short.clear();
      this.#review(`a run held the event loop for ${Math.round(ns / 1000)} us`);
    } else if (this.#times.upperNs(of) > this.#limits.shortNs * SLACK) {
      this.#short.delete(of);
      this.#review('runs take more than a hop to another thread');
    }
  }

  #isShort(of: number): boolean {
    if (this.#short.has(of)) return true;
    const { shortNs, trialNs } = this.#limits;
    const known = this.#times.upperNs(of);
    const short = Number.isNaN(known)
      ? this.#times.guessNs(of) <= shortNs || this.#times.quickestNs(of) <= trialNs
      : known <= shortNs;
    if (short) {
      this.#short.add(of);
      this.#review(`runs over up to ${2 ** of - 1} bytes take less than a hop to another thread`);
    }
    return short;
  }

  #review(why: string): void {
    if (this.setting !== 'auto') return;
    const from = this.#carrier;
    this.#carrier = this.#short.size > 0 ? 'sync' : this.elsewhere;
    if (this.#carrier === from) return;
    this.#why = why;
    this.onChange(from);
  }
}
