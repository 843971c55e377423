/** When instance `index` comes free, in the order in which they do: `freeSlots` are free, the others when `busyUntilNs` (ascending) says, or by now. */
export function instanceFreeNs(
  index: number,
  freeSlots: number,
  busyUntilNs: readonly number[],
  nowNs: number,
): number {
  return index < freeSlots ? nowNs : Math.max(busyUntilNs[index - freeSlots] ?? nowNs, nowNs);
}

/** When the executions in flight are expected to end, ascending. As many as there are instances: a sorted array is best. */
export class InFlight {
  readonly #endsNs: number[] = [];

  get count(): number {
    return this.#endsNs.length;
  }

  add(endNs: number): void {
    const ends = this.#endsNs;
    let at = ends.length;
    ends.push(endNs);
    while (at > 0 && (ends[at - 1] as number) > endNs) {
      ends[at] = ends[at - 1] as number;
      at--;
    }
    ends[at] = endNs;
  }

  remove(endNs: number): void {
    const at = this.#endsNs.indexOf(endNs);
    if (at === -1) throw new Error('no such execution is in flight');
    this.#endsNs.splice(at, 1);
  }

  /**
   * Fills `into` with the ends of the `busy` executions that end last. An instance is offered before its outcome is
   * settled: what is in flight beyond the busy ones has ended already, and it is the earliest.
   */
  latest(busy: number, into: number[]): void {
    const ends = this.#endsNs;
    into.length = 0;
    for (let i = Math.max(ends.length - busy, 0); i < ends.length; i++) into.push(ends[i] as number);
  }
}
