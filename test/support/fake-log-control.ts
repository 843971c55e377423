import type { LogControl, LogSettings } from '../../src/core/index.js';

/** Settings of a log that writes nothing. */
export class FakeLogControl implements LogControl {
  #settings: LogSettings = {
    file: '/var/log/penstock',
    info: true,
    warning: true,
    error: true,
    verboseLevel: 0,
    format: 'default',
  };

  settings(): LogSettings {
    return this.#settings;
  }

  change(changes: Partial<Omit<LogSettings, 'file'>>): void {
    this.#settings = { ...this.#settings, ...changes };
  }
}
