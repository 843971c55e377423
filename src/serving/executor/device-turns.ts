/** Weight of the newest execution in what the next one of a model is expected to take. */
const NEWEST = 0.2;

/** One model's part in the turns on a device. */
export interface Party {
  readonly weight: number;
  /** Up to where it has been served: device time by its weight, what runs counted as it is expected. */
  tagNs: number;
  /** What an execution of it takes; 0 while unknown. */
  meanNs: number;
  /** It asked in vain: it may have something to run. */
  wants: boolean;
}

/** What was charged for an execution that runs. */
export interface Charge {
  readonly party: Party;
  readonly expectedNs: number;
}

/**
 * Whose execution is next on a device that runs a number of them at once, models sharing its time by weight: of those that
 * want, the one with the least tag (start-time fair queueing, Goyal et al., 1996). Work-conserving: a free place is
 * anybody's. A model that had nothing to run gathers no claim. Pure: it is told what time passed.
 */
export class DeviceTurns {
  readonly #places: number;
  #taken = 0;
  /** The tag that the last execution started at. */
  #startNs = 0;

  /** `places`: executions at once. */
  constructor(places: number) {
    this.#places = places;
  }

  get open(): boolean {
    return this.#taken < this.#places;
  }

  join(weight: number): Party {
    return { weight, tagNs: this.#startNs, meanNs: 0, wants: false };
  }

  /** An execution of `party` starts. Throws (our mistake) where there is no place. */
  take(party: Party): Charge {
    if (!this.open) throw new Error('every place of the device is taken');
    this.#taken++;
    this.#startNs = Math.max(this.#startNs, party.tagNs);
    const expectedNs = party.meanNs;
    party.tagNs = this.#startNs + expectedNs / party.weight;
    return { party, expectedNs };
  }

  /** It ended, after `tookNs`; what was charged too much or too little is made up for. */
  give({ party, expectedNs }: Charge, tookNs: number): void {
    this.#taken--;
    party.tagNs += (tookNs - expectedNs) / party.weight;
    party.meanNs = party.meanNs === 0 ? tookNs : party.meanNs + NEWEST * (tookNs - party.meanNs);
  }

  /** Of those that want, the one that is next; undefined: nobody wants. */
  next<P extends Party>(parties: Iterable<P>): P | undefined {
    let next: P | undefined;
    for (const party of parties) if (party.wants && (next === undefined || party.tagNs < next.tagNs)) next = party;
    return next;
  }
}
