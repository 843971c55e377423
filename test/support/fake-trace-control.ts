import type { TraceChanges, TraceControl, TraceSettings } from '../../src/core/index.js';

/** Settings of traces that nobody makes; the same for all models. */
export class FakeTraceControl implements TraceControl {
  #settings: TraceSettings = { level: [], rate: 1000, count: -1, logFrequency: 0, file: '' };

  settings(): TraceSettings {
    return this.#settings;
  }

  change(_: string | undefined, changes: TraceChanges): void {
    const given = Object.entries(changes).filter(([, value]) => value !== null);
    this.#settings = { ...this.#settings, ...Object.fromEntries(given) };
  }
}
