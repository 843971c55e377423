/** What stands in at most one `PlacedSet` at a time, and knows where: -1 while in none. */
export interface Placed {
  place: number;
}

/**
 * A set of what comes and goes with each request, in no order: its members know their places, so that nothing is looked up
 * and nothing is allocated to add or delete one. V8's own sets and maps make a new table again and again as members come and
 * go, and each table that was given up points to the next: once one of them has grown old, all that the later ones held
 * survives until a full collection (decision note 0043).
 */
export class PlacedSet<T extends Placed> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  has(member: T): boolean {
    return this.#members[member.place] === member;
  }

  /** It must be in none. */
  add(member: T): void {
    member.place = this.#members.length;
    this.#members.push(member);
  }

  /** False where it is not in this set. */
  delete(member: T): boolean {
    if (!this.has(member)) return false;
    const last = this.#members.pop() as T;
    if (last !== member) {
      this.#members[member.place] = last;
      last.place = member.place;
    }
    member.place = -1;
    return true;
  }

  /** As they are now: members may come and go while the caller walks over them. */
  all(): T[] {
    return [...this.#members];
  }
}
