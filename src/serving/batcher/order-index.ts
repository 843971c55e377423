import type { Link, LinkedFifo } from './linked-fifo.js';

/** A request's place in the index: a node of a binary tree in the order of the line, a heap by `heat`. */
export class OrderNode {
  readonly link: Link;
  readonly heat: number;
  up: OrderNode | undefined = undefined;
  left: OrderNode | undefined = undefined;
  right: OrderNode | undefined = undefined;
  /** Rows of it and of all below. */
  rows: number;

  constructor(link: Link, heat: number) {
    this.link = link;
    this.heat = heat;
    this.rows = link.entry.rows;
  }
}

/**
 * An index over a line that stands in the order of `orderNs`, so that in a deep one a place is found, and rows behind an
 * instant are counted, in O(log n) (a treap: Seidel and Aragon, 1996). The line itself stays a list; links know their nodes.
 */
export class OrderIndex {
  #root: OrderNode | undefined;
  #seed = 0x2545f491;

  /** Takes in a line that has no index yet: linear in it. */
  constructor(line: LinkedFifo) {
    let last: OrderNode | undefined;
    for (let link = line.head; link !== undefined; link = link.next) {
      const node = new OrderNode(link, this.#heat());
      link.node = node;
      // The right spine of the tree, from the last one up: those that are hotter go below the new one.
      let below: OrderNode | undefined;
      while (last !== undefined && last.heat > node.heat) {
        below = last;
        last = last.up;
      }
      node.left = below;
      if (below !== undefined) below.up = node;
      node.up = last;
      if (last === undefined) this.#root = node;
      else last.right = node;
      last = node;
    }
    sumUp(this.#root);
  }

  /** Takes `link` in and tells after which one it belongs: after those of the same instant; undefined: it is the first. */
  insert(link: Link): Link | undefined {
    const { orderNs, rows } = link.entry;
    const node = new OrderNode(link, this.#heat());
    link.node = node;
    let before: Link | undefined;
    let up: OrderNode | undefined;
    let right = false;
    for (let at = this.#root; at !== undefined; at = right ? at.right : at.left) {
      at.rows += rows;
      up = at;
      right = at.link.entry.orderNs <= orderNs;
      if (right) before = at.link;
    }
    node.up = up;
    if (up === undefined) this.#root = node;
    else if (right) up.right = node;
    else up.left = node;
    while (node.up !== undefined && node.up.heat > node.heat) this.#lift(node);
    return before;
  }

  remove(link: Link): void {
    const { node } = link;
    if (node === undefined) throw new Error('the request is not in the index');
    link.node = undefined;
    while (node.left !== undefined && node.right !== undefined)
      this.#lift(node.left.heat < node.right.heat ? node.left : node.right);
    const below = node.left ?? node.right;
    if (below !== undefined) below.up = node.up;
    this.#replace(node, below);
    for (let up = node.up; up !== undefined; up = up.up) up.rows -= link.entry.rows;
  }

  /** Rows of those that are wanted later than `orderNs`. */
  rowsAfter(orderNs: number): number {
    let rows = 0;
    let at = this.#root;
    while (at !== undefined) {
      if (at.link.entry.orderNs > orderNs) {
        rows += at.rows - (at.left?.rows ?? 0);
        at = at.left;
      } else at = at.right;
    }
    return rows;
  }

  /** Turns the tree so that `node` comes above its parent; the order stays. */
  #lift(node: OrderNode): void {
    const parent = node.up as OrderNode;
    const { rows } = parent;
    this.#replace(parent, node);
    node.up = parent.up;
    parent.up = node;
    let moved: OrderNode | undefined;
    if (parent.left === node) {
      moved = node.right;
      parent.left = moved;
      node.right = parent;
    } else {
      moved = node.left;
      parent.right = moved;
      node.left = parent;
    }
    if (moved !== undefined) moved.up = parent;
    parent.rows = rows - node.rows + (moved?.rows ?? 0);
    node.rows = rows;
  }

  #replace(node: OrderNode, by: OrderNode | undefined): void {
    const { up } = node;
    if (up === undefined) this.#root = by;
    else if (up.left === node) up.left = by;
    else up.right = by;
  }

  /** xorshift32: the shape of the tree is random, the order of the line is not. */
  #heat(): number {
    let seed = this.#seed;
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    this.#seed = seed;
    return seed;
  }
}

/** Counts the rows below each node; the depth is logarithmic. */
function sumUp(node: OrderNode | undefined): number {
  if (node === undefined) return 0;
  node.rows = node.link.entry.rows + sumUp(node.left) + sumUp(node.right);
  return node.rows;
}
