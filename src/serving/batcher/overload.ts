import { type CostCurve, CRITICALITIES, type Criticality } from '../../core/index.js';
import type { Backlog } from './admission-forecast.js';
import { rowsSustained, rowsWithin } from './batch-size.js';
import { instanceFreeNs } from './in-flight.js';

/** So much more than can be served has to come: near the limit the forecast of admission loses less. */
const TOO_MUCH = 1.25;

/** Times that differ by less than this share have the same largest size. */
const ALIKE = 0.01;

/** Requests that say a rate: fewer, in a short SLO of slow executions, come in crowds by chance. */
const ENOUGH = 100;

/**
 * How much is asked of the instances: the time they need for what comes, in shares of the time that passes. Its mean over the last
 * SLO, as what comes within one can be answered within one, however it crowds; or over the last hundred requests that could be served.
 */
export class OfferedLoad {
  readonly #shares = new Float64Array(CRITICALITIES.length);
  #lastNs = 0;
  #lostNs = Number.NEGATIVE_INFINITY;
  #curve: CostCurve | undefined;
  #withinNs = 0;
  #instances = 0;
  #rowNs = 0;
  #spanNs = 1;

  /** A request of `rows` rows came to `instances`, to be answered within `withinNs`; `curve` tells what runs take. */
  arrived(
    rows: number,
    criticality: Criticality,
    curve: CostCurve,
    withinNs: number,
    instances: number,
    mostRows: number,
    nowNs: number,
  ): void {
    const alike = Math.abs(withinNs - this.#withinNs) <= ALIKE * this.#withinNs;
    if (!alike || curve !== this.#curve || instances !== this.#instances) {
      const size = Math.max(rowsSustained(curve, withinNs, instances, mostRows), 1);
      this.#rowNs = curve.meanNs(size) / (instances * size);
      this.#curve = curve;
      this.#withinNs = withinNs;
      this.#instances = instances;
      this.#spanNs = Math.max(withinNs, ENOUGH * this.#rowNs);
    }
    const gapNs = nowNs - this.#lastNs;
    const passed = -Math.expm1(-gapNs / this.#spanNs);
    const shares = this.#shares;
    for (let level = 0; level < shares.length; level++) shares[level] = (shares[level] as number) * (1 - passed);
    const workNs = rows * this.#rowNs;
    shares[criticality] =
      (shares[criticality] as number) + (gapNs > 0 ? (workNs * passed) / gapNs : workNs / this.#spanNs);
    this.#lastNs = nowNs;
  }

  /** A request was refused, at once or late. */
  lost(nowNs: number): void {
    this.#lostNs = nowNs;
  }

  /**
   * Whether more of what matters at least so much came than can be answered, and goes on coming (`rowsPerNs`, of late), and not all of it
   * could be taken: a crowd that can be answered in time is none.
   */
  tooMuch(criticality: Criticality, rowsPerNs: number): boolean {
    if (this.#lastNs - this.#lostNs > this.#spanNs || rowsPerNs * this.#rowNs <= TOO_MUCH) return false;
    let share = 0;
    for (let level = 0; level <= criticality; level++) share += this.#shares[level] as number;
    return share > TOO_MUCH;
  }
}

/**
 * The instant of the next start, where its execution cannot take a newcomer of `rows` rows with the `rowsAhead` before it and answer all of them
 * in time; undefined where it can. Under overload this is the best line: another newcomer comes at once, so an execution is as large as its head allows,
 * nobody waits for a second start, and nobody has to be given up.
 */
export function nextIsFull(
  { curve, mostRows, tightestNs, freeSlots, busyUntilNs }: Backlog,
  rowsAhead: number,
  rows: number,
  deadlineNs: number,
  nowNs: number,
): number | undefined {
  if (rowsAhead === 0) return undefined;
  const startNs = instanceFreeNs(0, freeSlots, busyUntilNs, nowNs);
  const room = rowsWithin(curve, Math.min(tightestNs, deadlineNs) - startNs, mostRows);
  return rowsAhead + rows > room ? startNs : undefined;
}
