import type { SequenceId, SequencePlan, SequencesReport, Tensor } from '../../core/index.js';
import type { LiveSequence } from './live-sequence.js';
import type { SequenceEnd, SequenceFigures } from './sequence-figures.js';
import { Slots } from './slots.js';

/** Which sequences of a version are alive, and where each stands: in line for a slot, in one with requests, or idle in one. */
export class Population {
  readonly #slots: Slots;
  readonly #figures: SequenceFigures;
  readonly #maxIdleNs: number;
  /** By id: one that begins anew under an id goes behind what is left of the one before, so that a model never meets both. */
  readonly #byId = new Map<SequenceId, LiveSequence>();
  /** All that are not over, those of requests apart too. */
  readonly #all = new Set<LiveSequence>();
  readonly #backlog = new Set<LiveSequence>();
  /** Since when; the one that is idle longest first. */
  readonly #idle = new Map<LiveSequence, number>();
  #filling = false;

  constructor({ slotsPerInstance, maxIdleUs }: SequencePlan, instances: number, figures: SequenceFigures) {
    this.#slots = new Slots(instances, slotsPerInstance);
    this.#maxIdleNs = maxIdleUs * 1000;
    this.#figures = figures;
  }

  /** Those that are alive now: what is done with one may end others. */
  all(): LiveSequence[] {
    return [...this.#all];
  }

  /** Those that are idle now. */
  idle(): LiveSequence[] {
    return [...this.#idle.keys()];
  }

  named(id: SequenceId): LiveSequence | undefined {
    return this.#byId.get(id);
  }

  /** The first in line for a slot. */
  get next(): LiveSequence | undefined {
    for (const first of this.#backlog) return first;
    return undefined;
  }

  /** A sequence begins, last in line. `apart`: it is found by no id. */
  add(of: LiveSequence, apart: boolean): void {
    if (!apart) this.#byId.set(of.id, of);
    this.#all.add(of);
    this.#backlog.add(of);
  }

  /** Sequences in line take the slots that are free, the oldest first; `entered` is told of each, and may end it and others. */
  fillSlots(entered: (of: LiveSequence) => void): void {
    if (this.#filling) return;
    this.#filling = true;
    for (const next of this.#backlog) {
      const slot = this.#slots.take();
      if (slot === undefined) break;
      this.#backlog.delete(next);
      next.slot = slot;
      next.phase.move('busy');
      entered(next);
    }
    this.#filling = false;
  }

  /** It has no requests any more. */
  rest(of: LiveSequence, nowNs: number): void {
    of.phase.move('idle');
    this.#idle.set(of, nowNs);
  }

  /** An idle one has requests again. */
  wake(of: LiveSequence): void {
    this.#idle.delete(of);
    of.phase.move('busy');
  }

  /** A sequence is over. True where a slot is free by that. */
  leave(of: LiveSequence, how: SequenceEnd): boolean {
    if (of.phase.state === 'over') return false;
    of.phase.move('over');
    this.#figures.left[how]++;
    if (this.#byId.get(of.id) === of) this.#byId.delete(of.id);
    this.#all.delete(of);
    this.#backlog.delete(of);
    this.#idle.delete(of);
    if (of.slot === undefined) return false;
    this.#slots.give(of.slot);
    of.slot = undefined;
    return true;
  }

  /** When the first will have been idle for too long. */
  get idleUntilNs(): number {
    for (const sinceNs of this.#idle.values()) return sinceNs + this.#maxIdleNs;
    return Number.POSITIVE_INFINITY;
  }

  /** Those that have been idle for too long. */
  expired(nowNs: number): LiveSequence[] {
    const expired: LiveSequence[] = [];
    for (const [of, sinceNs] of this.#idle) {
      if (sinceNs + this.#maxIdleNs > nowNs) break;
      expired.push(of);
    }
    return expired;
  }

  /** `initial`: the states of those that have not been answered yet. Cost: linear in those that are alive. */
  report(strategy: SequencePlan['strategy'], initial: readonly Tensor[]): SequencesReport {
    const { begun, restarted, left } = this.#figures;
    let stateBytes = 0;
    for (const { states } of this.#all) {
      if (states !== initial) for (const { data } of states) stateBytes += data.byteLength;
    }
    return {
      strategy,
      slots: this.#slots.all,
      slotsInUse: this.#slots.inUse,
      backlog: this.#backlog.size,
      idle: this.#idle.size,
      stateBytes,
      begun,
      restarted,
      ...left,
    };
  }
}
