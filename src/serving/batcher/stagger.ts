import { instanceFreeNs } from './in-flight.js';
import type { Plan } from './scheduling-view.js';

/**
 * Weights of the start time, found by search over simulated loads of six linear curves (decision note 0016). They are
 * pure numbers: times are counted in shares of the distance that starts have when all instances work all the time.
 */
const EARLIER = -0.315;
const GATHERED = -0.544;
const WINDOW = 0.466;
const SPREAD = [1.231, 1.435, 1.982] as const;
/** Share of the distance that is kept; less than 1, as a start can be made up for by a later one. */
const DISTANCE = 0.86;
/** How much more than the size that keeps up the present size counts for the distance. */
const PRESENT = 1.617;

/**
 * When to start what waits, all of which fits: starts are to be spread evenly, so that the next instance comes free when
 * the next batch has gathered. Where the other instances come free early, sooner; where they come free late, later, but
 * never past `windowNs`, the last instant at which one more could still join without the head being late.
 */
export function startNs(plan: Plan, keepsUp: number, freeSlots: number, windowNs: number, nowNs: number): number {
  const { curve, busyUntilNs, instances, mostRows, rows } = plan;
  const size = Math.min(Math.max(Math.round(rows * PRESENT + keepsUp * (1 - PRESENT)), 1), mostRows);
  const stepNs = (DISTANCE * curve.meanNs(size)) / instances;
  let delayNs = stepNs * (EARLIER + GATHERED * (1 - rows / keepsUp)) + WINDOW * (windowNs - nowNs);
  const others = instances - 1;
  for (let k = 1; k <= others; k++) {
    const freeNs = instanceFreeNs(k, freeSlots, busyUntilNs, nowNs);
    delayNs += weight(k, others) * (freeNs - nowNs - k * stepNs);
  }
  return Math.min(windowNs, nowNs + delayNs);
}

/** The weight of the k-th instance to come free, of `others`: the searched ones, stretched to their number. */
function weight(k: number, others: number): number {
  const at = others === 1 ? 1 : ((k - 1) * (SPREAD.length - 1)) / (others - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, SPREAD.length - 1);
  const between = (SPREAD[low] as number) + (at - low) * ((SPREAD[high] as number) - (SPREAD[low] as number));
  return (between * SPREAD.length) / others;
}
