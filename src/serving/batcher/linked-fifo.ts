import type { Entry } from './entry.js';
import type { OrderNode } from './order-index.js';

/** A place in one doubly linked list, so that a request leaves any list at once, wherever it stands. */
export class Link {
  readonly entry: Entry;
  prev: Link | undefined = undefined;
  next: Link | undefined = undefined;
  list: LinkedFifo | undefined = undefined;
  /** Its place in the index of its list, where that has one. */
  node: OrderNode | undefined = undefined;

  constructor(entry: Entry) {
    this.entry = entry;
  }
}

/** First in, first out, with removal from anywhere in O(1). */
export class LinkedFifo {
  head: Link | undefined = undefined;
  tail: Link | undefined = undefined;

  push(link: Link): void {
    this.insertAfter(link, this.tail);
  }

  /** Puts it right after `before`, which is in this list; undefined: first. */
  insertAfter(link: Link, before: Link | undefined): void {
    const after = before === undefined ? this.head : before.next;
    link.list = this;
    link.prev = before;
    link.next = after;
    if (before === undefined) this.head = link;
    else before.next = link;
    if (after === undefined) this.tail = link;
    else after.prev = link;
  }

  remove(link: Link): void {
    if (link.list !== this) throw new Error('the request is not in this list');
    if (link.prev === undefined) this.head = link.next;
    else link.prev.next = link.next;
    if (link.next === undefined) this.tail = link.prev;
    else link.next.prev = link.prev;
    link.prev = undefined;
    link.next = undefined;
    link.list = undefined;
  }
}
