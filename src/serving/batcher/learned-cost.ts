import type { CostCurve, CostModel, SizeCost } from '../../core/index.js';
import { Beliefs } from './beliefs.js';
import { besideKnown } from './few-times.js';
import { MeasuredCurve } from './measured-curve.js';
import { RecentTimes } from './recent-times.js';

/** Classes of shapes that are remembered; beyond it the one seen longest ago is forgotten. Their names come from callers. */
const MOST_CLASSES = 64;

/** What was seen of a size this long ago no longer counts where the sizes beside it are newer: machines change. */
const STALE_NS = 300e9;

/** A curve is made anew after so many executions, or after an eighth of all seen so far, while there are few. */
const REBUILD_EVERY = 32;

/** What is known of one class of shapes on one device. */
export interface KnownClass {
  readonly shapeClass: string;
  /** Undefined where all instances are on one device. */
  readonly device: string | undefined;
  /** Ascending in rows. */
  readonly sizes: readonly SizeCost[];
}

/**
 * The time of executions, learned from those that end: for each device, class of shapes and size the last times, their
 * middle and an upper quantile; between sizes straight lines. Outliers move neither for long: both come from ranks.
 * A class is known from its first execution on, or from what it is told to believe until then. Curves are made when they
 * are asked for: where nobody plans, an execution costs two look-ups.
 */
export class LearnedCost implements CostModel {
  readonly #classes = new Map<string, ShapeClass>();
  /** Those that were named, where there are several. */
  readonly #devices: string[] = [];
  #observed = 0;

  /** Executions seen so far. */
  get observed(): number {
    return this.#observed;
  }

  curve(shapeClass: string, device?: string): CostCurve | undefined {
    if (device !== undefined) return this.#classes.get(nameOf(shapeClass, device))?.curve;
    if (this.#devices.length === 0) return this.#classes.get(shapeClass)?.curve;
    let fastest: CostCurve | undefined;
    for (const one of this.#devices) {
      const curve = this.#classes.get(nameOf(shapeClass, one))?.curve;
      if (curve !== undefined && (fastest === undefined || curve.meanNs(1) < fastest.meanNs(1))) fastest = curve;
    }
    return fastest;
  }

  observe(shapeClass: string, rows: number, computeNs: number, nowNs: number, device?: string): void {
    if (!(computeNs > 0) || rows < 1) return;
    this.#observed++;
    this.#classOf(shapeClass, device).observe(rows, computeNs, nowNs);
  }

  /**
   * Takes over what was measured before requests came, or by an earlier run of the program. It counts as one execution of
   * each size; a size that is seen again decides for itself, and shifts what is believed of the sizes beside it.
   */
  believe({ shapeClass, device, sizes }: KnownClass): void {
    if (sizes.length > 0) this.#classOf(shapeClass, device).believe(sizes);
  }

  /** All that is known now, to be believed later. */
  known(): KnownClass[] {
    return [...this.#classes.values()].map(({ shapeClass, device, sizes }) => ({ shapeClass, device, sizes }));
  }

  #classOf(shapeClass: string, device: string | undefined): ShapeClass {
    const name = device === undefined ? shapeClass : nameOf(shapeClass, device);
    let known = this.#classes.get(name);
    if (known === undefined) {
      if (this.#classes.size >= MOST_CLASSES) this.#forgetOldest();
      known = new ShapeClass(shapeClass, device);
      this.#classes.set(name, known);
      if (device !== undefined && !this.#devices.includes(device)) this.#devices.push(device);
    }
    return known;
  }

  #forgetOldest(): void {
    let oldest: string | undefined;
    let oldestNs = Number.POSITIVE_INFINITY;
    for (const [name, { seenNs }] of this.#classes) {
      if (seenNs < oldestNs) {
        oldest = name;
        oldestNs = seenNs;
      }
    }
    if (oldest !== undefined) this.#classes.delete(oldest);
  }
}

/** Names of devices have no line break, and of classes neither. */
const nameOf = (shapeClass: string, device: string) => `${device}\n${shapeClass}`;

/** One class of shapes: its sizes, and the curve made of them. */
class ShapeClass {
  readonly shapeClass: string;
  readonly device: string | undefined;
  readonly #sizes = new Map<number, RecentTimes>();
  readonly #beliefs = new Beliefs();
  #seen = 0;
  #rebuildAt = 0;
  #curve: CostCurve | undefined;
  seenNs = 0;

  constructor(shapeClass: string, device: string | undefined) {
    this.shapeClass = shapeClass;
    this.device = device;
  }

  get curve(): CostCurve | undefined {
    if (this.#seen >= this.#rebuildAt) {
      this.#rebuildAt = this.#seen + Math.min(REBUILD_EVERY, Math.max(Math.ceil(this.#seen / 8), 1));
      const { sizes } = this;
      this.#curve = sizes.length === 0 ? undefined : new MeasuredCurve(sizes);
    }
    return this.#curve;
  }

  /** What is known of each size, ascending in rows. */
  get sizes(): SizeCost[] {
    const known: { readonly times: RecentTimes; readonly cost: SizeCost }[] = [];
    for (const [size, times] of this.#sizes) {
      if (this.seenNs - times.seenNs > STALE_NS) this.#sizes.delete(size);
      else known.push({ times, cost: times.cost() });
    }
    known.sort((a, b) => a.cost.rows - b.cost.rows);
    const measured = known.map(({ times }, i) =>
      times.cost(slopeNs(known[i - 1]?.cost, known[i + 1]?.cost, known[i]?.cost)),
    );
    return this.#beliefs.completed(besideKnown(measured)).sort((a, b) => a.rows - b.rows);
  }

  observe(rows: number, computeNs: number, nowNs: number): void {
    const size = gridSize(rows);
    let times = this.#sizes.get(size);
    if (times === undefined) {
      times = new RecentTimes();
      this.#sizes.set(size, times);
      this.#rebuildAt = 0;
    }
    if (times.add(computeNs, rows, nowNs)) {
      // What was slow was the machine: other sizes were too, and those that now look too slow would not be run again.
      this.#sizes.clear();
      this.#sizes.set(size, times);
      this.#rebuildAt = 0;
    }
    this.seenNs = nowNs;
    this.#seen++;
  }

  believe(sizes: readonly SizeCost[]): void {
    this.#beliefs.replace(sizes);
    this.#rebuildAt = 0;
  }
}

/** What a row adds about a size, by the sizes beside it; 0 where there are none. */
function slopeNs(below: SizeCost | undefined, above: SizeCost | undefined, own: SizeCost | undefined): number {
  const [low, high] = [below ?? own, above ?? own];
  if (low === undefined || high === undefined || high.rows <= low.rows) return 0;
  return Math.max((high.meanNs - low.meanNs) / (high.rows - low.rows), 0);
}

/** Sizes are kept one by one up to 4, then in steps of a half and a third: 6, 8, 12, 16, 24, 32, .. */
function gridSize(rows: number): number {
  if (rows <= 4) return rows;
  const power = 2 ** Math.floor(Math.log2(rows));
  return rows < power * 1.25 ? power : rows < power * 1.75 ? power * 1.5 : power * 2;
}
