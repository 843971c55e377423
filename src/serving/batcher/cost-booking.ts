import {
  type Charge,
  type CostAccount,
  type CostCurve,
  type CostMeter,
  executedRows,
  UNROUTED,
} from '../../core/index.js';
import type { Entry } from './entry.js';
import type { ExecutionShapes } from './execution-shape.js';
import type { QueueItem } from './queue-item.js';
import type { RunningBatch } from './running-batch.js';

/** A learned curve is asked for again after so many executions: making it anew costs more than booking does. */
const CURVE_LASTS = 512;

/**
 * Books the time of executions on whom it was for, by the policy of the meter: so much for each row, element, or request. Of an
 * execution nothing is left over: the members' parts and the padding are all of it, and who left before its end pays as if it
 * had stayed. Where nothing is metered it is the wall time that is shared, by rows, and booked nowhere.
 */
export class CostBooking {
  readonly #meter: CostMeter | undefined;
  /** Of the execution that was opened last; undefined: it is not metered. */
  #open: CostMeter | undefined;
  #deviceName: string | undefined;
  readonly #shapes: ExecutionShapes;
  #curve: CostCurve | undefined;
  #curveClass: string | undefined;
  #curveDevice: string | undefined;
  #curveUses = 0;

  /** What a request, a row and an element of the execution that was opened last cost, padding taken off. */
  requestNs = 0;
  rowNs = 0;
  elementNs = 0;
  /** Price of a nanosecond there; undefined: not known. */
  pricePerNs: number | undefined;
  /** The whole of a member's part, where this is of its own. */
  #gross = 1;
  #deviceNs = 0;
  #device = 0;
  /** Device time to wall time of the execution: less than 1 where others ran beside it. */
  #alongside = 1;
  /** What the member before was like, and what such a one takes alone; -1: not known. */
  #likeKey = '';
  #likeLength: number | undefined = undefined;
  #likeRows = 0;
  #likeNs = -1;
  #retried = false;
  #members = 0;

  constructor(meter: CostMeter | undefined, shapes: ExecutionShapes) {
    this.#meter = meter;
    this.#shapes = shapes;
  }

  /** An execution ended well, `wallNs` after it was taken; `computeNs` of it the model ran. Its padding is booked. */
  open(running: RunningBatch, paddingShare: number, wallNs: number, computeNs: number): void {
    const { batch, handle, entries } = running;
    const meter = this.#meter;
    const measured = meter === undefined ? undefined : handle?.meter;
    if (meter === undefined || measured === undefined) {
      this.#shareByRows(computeNs, batch.rows);
      this.pricePerNs = undefined;
      this.#open = undefined;
      return;
    }
    const deviceNs = handle?.deviceNs ?? 0;
    this.#open = meter;
    this.#deviceName = handle?.device;
    this.pricePerNs = measured.pricePerNs;
    this.#device = measured.index;
    this.#deviceNs = deviceNs;
    this.#alongside = wallNs > 0 ? deviceNs / wallNs : 1;
    this.#retried = running.isolation !== undefined;
    this.#members = entries.length;
    this.#likeRows = 0;
    this.#gross = paddingShare < 1 ? 1 / (1 - paddingShare) : 1;
    this.#divide(meter, running, deviceNs * (1 - paddingShare));
    if (paddingShare > 0 && !this.#retried) this.#bookPadding(meter, running, paddingShare);
  }

  /** One of its members, answered or not; `ns`: its part. */
  book({ account, item, rows }: Entry, ns: number): void {
    const meter = this.#open;
    if (meter === undefined) return;
    const charge = item.charge ?? UNROUTED;
    if (charge.kind !== 'direct' || this.#retried) {
      const to =
        charge.kind === 'direct' ? meter.retried : (account.costs[charge.index] ?? accountOf(meter, account, charge));
      to.add(this.#device, this.#retried || isOwn(charge) ? ns * this.#gross : ns, 1, rows, 0);
      return;
    }
    const to = account.costs[charge.index] ?? accountOf(meter, account, charge);
    to.add(this.#device, ns, 1, rows, this.#members === 1 ? this.#deviceNs : this.#aloneNs(item, rows, ns));
  }

  /** An execution failed: what callers asked for is the model's loss, unless they all had gone, and it was stopped for that. */
  failed({ batch, entries, handle, isolation, waiting }: RunningBatch): void {
    const meter = this.#meter;
    const measured = handle?.meter;
    if (meter === undefined || measured === undefined) return;
    const rowNs = (handle?.deviceNs ?? 0) / batch.rows;
    const lost = isolation === undefined ? meter.failed : meter.retried;
    for (const { account, item, rows } of entries) {
      const charge = item.charge ?? UNROUTED;
      const own = waiting === 0 || charge.kind !== 'direct';
      const to = own ? (account.costs[charge.index] ?? accountOf(meter, account, charge)) : lost;
      const ns = rows * rowNs;
      to.add(measured.index, ns, 1, rows, own && charge.kind === 'direct' ? ns : 0);
    }
  }

  #divide({ split }: CostMeter, running: RunningBatch, ns: number): void {
    const { batch, entries } = running;
    if (entries.length === 1 || split === 'rows') this.#shareByRows(ns, batch.rows);
    else if (split === 'elements') this.#shareByElements(ns, running);
    else this.#shareByCurve(ns, running);
  }

  #shareByRows(ns: number, rows: number): void {
    this.requestNs = 0;
    this.rowNs = ns / rows;
    this.elementNs = 0;
  }

  #shareByElements(ns: number, { batch, entries }: RunningBatch): void {
    let elements = 0;
    for (const { rows, length } of entries) elements += rows * length;
    if (elements === 0) {
      this.#shareByRows(ns, batch.rows);
      return;
    }
    this.requestNs = 0;
    this.rowNs = 0;
    this.elementNs = ns / elements;
  }

  /** The part of an execution's time that is the same for any size, evenly; the rest by rows. */
  #shareByCurve(ns: number, { batch, entries, handle }: RunningBatch): void {
    const curve = this.#curveOf(this.#shapes.executionClass(batch, entries), handle?.device);
    const rows = executedRows(batch);
    const oneNs = curve?.meanNs(1) ?? 0;
    const perRowNs = curve === undefined || rows === 1 ? 0 : Math.max(curve.meanNs(rows) - oneNs, 0) / (rows - 1);
    const fixedNs = Math.max(oneNs - perRowNs, 0);
    const totalNs = fixedNs + perRowNs * batch.rows;
    if (!(totalNs > 0)) {
      this.#shareByRows(ns, batch.rows);
      return;
    }
    this.requestNs = (ns * fixedNs) / totalNs / entries.length;
    this.rowNs = (ns * perRowNs) / totalNs;
    this.elementNs = 0;
  }

  /** The padding beside members that pay for theirs is the model's. */
  #bookPadding(meter: CostMeter, running: RunningBatch, paddingShare: number): void {
    const { batch, entries } = running;
    let ns = 0;
    for (const { item, rows, length } of entries)
      if (!isOwn(item.charge ?? UNROUTED)) ns += this.requestNs + rows * (this.rowNs + length * this.elementNs);
    const dummyRows = executedRows(batch) - batch.rows;
    if (ns > 0) meter.padding.add(this.#device, (ns * paddingShare) / (1 - paddingShare), 0, dummyRows, 0);
  }

  /** What a member would have taken in an execution of its own, beside as much else; what it took, where that is not known. */
  #aloneNs(item: QueueItem, rows: number, ns: number): number {
    // Most members of an execution are like the one before.
    if (item.key !== this.#likeKey || item.length !== this.#likeLength || rows !== this.#likeRows) {
      this.#likeKey = item.key;
      this.#likeLength = item.length;
      this.#likeRows = rows;
      const curve = this.#curveOf(this.#shapes.costClass(item), this.#deviceName);
      this.#likeNs = curve === undefined || curve.knows?.(rows) === false ? -1 : curve.meanNs(rows);
    }
    return this.#likeNs < 0 ? ns * this.#gross : this.#likeNs * this.#alongside;
  }

  #curveOf(shapeClass: string, device: string | undefined): CostCurve | undefined {
    const same = shapeClass === this.#curveClass && device === this.#curveDevice;
    if (!same || --this.#curveUses <= 0) {
      this.#curveUses = CURVE_LASTS;
      this.#curveClass = shapeClass;
      this.#curveDevice = device;
      this.#curve = this.#shapes.costs?.curve(shapeClass, device);
    }
    return this.#curve;
  }
}

/** Whose padding is its own, too: what nobody would have run but for its sake. */
function isOwn({ kind }: Charge): boolean {
  return kind === 'shadow' || kind === 'warm_up';
}

function accountOf(meter: CostMeter, account: Entry['account'], charge: Charge): CostAccount {
  const found = meter.account(account.tenant, charge);
  account.costs[charge.index] = found;
  return found;
}
