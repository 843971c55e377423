import { type CostModel, NO_DEADLINE } from '../../core/index.js';
import type { CostPlane } from './cost-plane.js';
import type { Entry } from './entry.js';
import type { ExecutionShapes } from './execution-shape.js';

/** Groups of lengths longer than the head's that are tried for a batch, and of shorter ones that may join it. */
const GROUPS_LOOKED_AT = 16;
/** A longer batch must save this much to be worth the longer run of the head. */
const WORTH_IT = 1.02;

/** The waiting requests of nearly one length. */
interface Waiting {
  /** The longest that may be in it (`LengthClasses.group`). */
  group: number;
  /** What a batch of its longest runs at. */
  length: number;
  rows: number;
  /** What serving one of its rows takes if those that wait of it are served by themselves. */
  worth: number;
}

/**
 * Which of the waiting requests, of different lengths, share the next execution: the head, and those that take less time in
 * its batch than in one of their own. Every length from the head's up is tried; the batch that saves the most for its time
 * is taken, in the order of service. Bounded: a window of the line, `GROUPS_LOOKED_AT` groups of lengths either way.
 */
export class ShapeChoice {
  /** The chosen of the window, the head first, in the order of service; perhaps more than fit into one execution. */
  readonly line: Entry[] = [];
  rows = 0;
  /** The name of the class of shapes of the execution. */
  costClass = '';
  /** The earliest instant that one of them is wanted at, a patience included; and whether any has a deadline. */
  tightestNs = 0;
  withDeadline = false;
  readonly #shapes: ExecutionShapes;
  readonly #plane: CostPlane;
  readonly #costs: CostModel | undefined;
  /** Those of the window, ascending; and all that were ever made, to be used again. */
  readonly #groups: Waiting[] = [];
  readonly #made: Waiting[] = [];

  /** `plane`: what choices rest on. `costs`: what deadlines do; undefined where they are not planned for. */
  constructor(shapes: ExecutionShapes, plane: CostPlane, costs: CostModel | undefined) {
    this.#shapes = shapes;
    this.#plane = plane;
    this.#costs = costs;
  }

  /** Chooses among `window`, the head first. `budgetNs`: until the head's deadline. */
  choose(window: readonly Entry[], maxRows: number, budgetNs: number): void {
    const head = window[0] as Entry;
    this.#count(window);
    for (const one of this.#groups) {
      const rows = Math.min(one.rows, this.#shapes.rowsAt(one.length, maxRows));
      one.worth = this.#time(one, rows) / rows;
    }
    const group = this.#groupOf(head);
    const own = this.#groups.findIndex((one) => one.group === group);
    let best = own;
    let shortest = group;
    let bestSaving = 0;
    for (let at = own; at < this.#groups.length && at <= own + GROUPS_LOOKED_AT; at++) {
      if (at > own && this.#isTooLate(head, this.#groups[at] as Waiting, budgetNs)) break;
      const longest = this.#groups[at] as Waiting;
      // Longer ones are no more room for others.
      if (at > own && !this.#shapes.fits(head.rows + 1, longest.length)) break;
      const mostRows = Math.max(head.rows, this.#shapes.rowsAt(longest.length, maxRows));
      const tried = this.#tryLength(at, own, head.rows, mostRows);
      if (tried.saving <= bestSaving * WORTH_IT) continue;
      best = at;
      bestSaving = tried.saving;
      shortest = tried.shortest;
    }
    this.#take(window, (this.#groups[best] as Waiting).group, shortest);
  }

  #isTooLate(head: Entry, { length }: Waiting, budgetNs: number): boolean {
    const { lengths } = this.#shapes;
    const curve = this.#costs?.curve(this.#shapes.className(head.item.key, lengths.of(length)));
    return curve !== undefined && curve.upperNs(head.rows) > budgetNs;
  }

  /** What the groups up to the one at `at` are worth in one batch of its length, for its time; and the shortest that joins. */
  #tryLength(at: number, own: number, headRows: number, maxRows: number): { saving: number; shortest: number } {
    const longest = this.#groups[at] as Waiting;
    let rows = headRows;
    let worth = headRows * (this.#groups[own] as Waiting).worth;
    let time = this.#time(longest, rows);
    let shortest = longest.group;
    for (let i = at; i >= 0 && i >= own - GROUPS_LOOKED_AT && rows < maxRows; i--) {
      const one = this.#groups[i] as Waiting;
      const joining = Math.min(i === own ? one.rows - headRows : one.rows, maxRows - rows);
      if (joining === 0) continue;
      const more = this.#time(longest, rows + joining);
      if (i < at && joining * one.worth < more - time) break;
      rows += joining;
      worth += joining * one.worth;
      time = more;
      shortest = one.group;
    }
    return { saving: worth / time, shortest };
  }

  #take(window: readonly Entry[], longest: number, shortest: number): void {
    const { lengths } = this.#shapes;
    this.line.length = 0;
    this.rows = 0;
    this.tightestNs = NO_DEADLINE;
    this.withDeadline = false;
    let length = 0;
    for (const entry of window) {
      const group = this.#groupOf(entry);
      if (entry !== window[0] && (group > longest || group < shortest)) continue;
      this.line.push(entry);
      this.rows += entry.rows;
      this.tightestNs = Math.min(this.tightestNs, entry.orderNs);
      if (entry.deadlineNs !== NO_DEADLINE) this.withDeadline = true;
      if (entry.length > length) length = entry.length;
    }
    this.costClass = this.#shapes.className((window[0] as Entry).item.key, lengths.of(length));
  }

  /** Fills `into` with the first of the chosen that fit into `maxRows` and one execution; true where one did not, or it is full. */
  gather(maxRows: number, into: Entry[]): boolean {
    into.length = 0;
    let rows = 0;
    let longest = 0;
    for (const entry of this.line) {
      const together = Math.max(longest, entry.length);
      if (into.length > 0 && (rows + entry.rows > maxRows || !this.#shapes.fits(rows + entry.rows, together))) continue;
      rows += entry.rows;
      longest = together;
      into.push(entry);
    }
    return rows >= maxRows || into.length < this.line.length || !this.#shapes.fits(rows + 1, longest);
  }

  /** The groups in the window, ascending. */
  #count(window: readonly Entry[]): void {
    const { lengths } = this.#shapes;
    const groups = this.#groups;
    groups.length = 0;
    for (const entry of window) {
      const group = this.#groupOf(entry);
      const at = placeOf(groups, group);
      const padded = lengths.padded(entry.length);
      const found = groups[at];
      if (found?.group === group) {
        found.rows += entry.rows;
        if (padded > found.length) found.length = padded;
      } else groups.splice(at, 0, this.#waiting(groups.length, group, padded, entry.rows));
    }
  }

  /** The `index`-th object in use. */
  #waiting(index: number, group: number, length: number, rows: number): Waiting {
    const made = this.#made[index];
    if (made === undefined) {
      const one = { group, length, rows, worth: 0 };
      this.#made.push(one);
      return one;
    }
    made.group = group;
    made.length = length;
    made.rows = rows;
    return made;
  }

  #groupOf(entry: Entry): number {
    if (entry.lengthGroup === 0) entry.lengthGroup = this.#shapes.lengths.group(entry.length);
    return entry.lengthGroup;
  }

  #time({ length }: Waiting, rows: number): number {
    return this.#plane.timeOf(this.#shapes.sizes.up(rows), length);
  }
}

/** Where `group` stands, or belongs. */
function placeOf(groups: readonly Waiting[], group: number): number {
  let low = 0;
  let high = groups.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((groups[middle] as Waiting).group < group) low = middle + 1;
    else high = middle;
  }
  return low;
}
