import { type CostAccount, CRITICALITIES, type Criticality, type Tenant } from '../../core/index.js';
import { AdmissionMargin } from './admission-margin.js';

/** What a queue keeps of one tenant. */
export class TenantAccount {
  readonly tenant: Tenant;
  /** Device time it was given by its share, divided by its weight; who has the least is served next (`FairShares`). */
  virtualNs = 0;
  /** The same as a batch is put together, before it is decided. */
  plannedNs = 0;
  /** Requests that wait; 0: it is not there, and gathers no claim. */
  waiting = 0;
  /** Since it is known here, by criticality: requests started and refused. */
  readonly started: number[] = CRITICALITIES.map(() => 0);
  readonly refused: number[] = CRITICALITIES.map(() => 0);
  /** Device time of its requests, in nanoseconds. */
  deviceNs = 0;
  /** Where its requests are booked, by the index of their charge; as they are first needed. */
  readonly costs: (CostAccount | undefined)[] = [];
  readonly #margins: (AdmissionMargin | undefined)[] = new Array(CRITICALITIES.length).fill(undefined);

  constructor(tenant: Tenant) {
    this.tenant = tenant;
  }

  countRefused(criticality: Criticality): void {
    this.refused[criticality] = (this.refused[criticality] as number) + 1;
  }

  /** What was learned of promises to its requests of a criticality: a level that is shed must not darken the others. */
  margin(criticality: Criticality): AdmissionMargin {
    let margin = this.#margins[criticality];
    if (margin === undefined) {
      margin = new AdmissionMargin();
      this.#margins[criticality] = margin;
    }
    return margin;
  }
}
