/** What has an instant at which something happens to it. */
export interface Due {
  /** Its place in the heap; -1 = it is not there. */
  heapIndex: number;
  /** The instant that it is filed under. */
  dueNs: number;
}

/** Requests by the instant something happens to them. Add, move and remove by identity in O(log n); the earliest in O(1). */
export class DueHeap<Entry extends Due> {
  readonly #heap: Entry[] = [];

  get first(): Entry | undefined {
    return this.#heap[0];
  }

  /** Files `entry` under `dueNs`, wherever it stood before; `Infinity` takes it out. */
  set(entry: Entry, dueNs: number): void {
    if (dueNs === Number.POSITIVE_INFINITY) {
      this.remove(entry);
      return;
    }
    const before = entry.dueNs;
    entry.dueNs = dueNs;
    if (entry.heapIndex === -1) this.#up(entry, this.#heap.push(entry) - 1);
    else if (dueNs < before) this.#up(entry, entry.heapIndex);
    else this.#down(entry, entry.heapIndex);
  }

  remove(entry: Entry): void {
    const at = entry.heapIndex;
    if (at === -1) return;
    entry.heapIndex = -1;
    const last = this.#heap.pop() as Entry;
    if (last === entry) return;
    if (last.dueNs < entry.dueNs) this.#up(last, at);
    else this.#down(last, at);
  }

  #up(entry: Entry, from: number): void {
    const heap = this.#heap;
    let at = from;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt] as Entry;
      if (parent.dueNs <= entry.dueNs) break;
      heap[at] = parent;
      parent.heapIndex = at;
      at = parentAt;
    }
    heap[at] = entry;
    entry.heapIndex = at;
  }

  #down(entry: Entry, from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      let childAt = 2 * at + 1;
      if (childAt >= heap.length) break;
      const right = heap[childAt + 1];
      if (right !== undefined && right.dueNs < (heap[childAt] as Entry).dueNs) childAt++;
      const child = heap[childAt] as Entry;
      if (child.dueNs >= entry.dueNs) break;
      heap[at] = child;
      child.heapIndex = at;
      at = childAt;
    }
    heap[at] = entry;
    entry.heapIndex = at;
  }
}
