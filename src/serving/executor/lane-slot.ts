import { LANE_MOVES, type Lane, type LaneState, StateMachine } from '../../core/index.js';

/** A place for one lane of an instance, and its state. The lane in it is replaced when it breaks. */
export class LaneSlot {
  lane: Lane | undefined;
  readonly #machine: StateMachine<LaneState>;

  constructor(onMove: (from: LaneState, to: LaneState, why: string) => void) {
    this.#machine = new StateMachine<LaneState>(LANE_MOVES, 'starting', onMove);
  }

  get state(): LaneState {
    return this.#machine.state;
  }

  /** True where a batch can start in it now. */
  get open(): boolean {
    return this.#machine.state === 'idle' && this.lane?.broken === false;
  }

  move(to: LaneState, why = ''): void {
    this.#machine.move(to, why);
  }
}
