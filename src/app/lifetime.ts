import { type Log, PROCESS_MOVES, type ProcessState, StateMachine } from '../core/index.js';

/** The process's own state; every protocol's liveness and readiness reads it here. */
export class Lifetime {
  readonly #machine: StateMachine<ProcessState>;

  constructor(log: Log) {
    this.#machine = new StateMachine<ProcessState>(PROCESS_MOVES, 'starting', (from, to, why) =>
      log.debug('process state', { from, to, why }),
    );
  }

  get state(): ProcessState {
    return this.#machine.state;
  }

  move(to: ProcessState, why = ''): void {
    this.#machine.move(to, why);
  }

  live(): boolean {
    return this.state !== 'stopped';
  }

  ready(): boolean {
    return this.state === 'serving';
  }
}
