import type { MoveTable } from '../../core/index.js';
import type { EnsembleGraph } from './ensemble-graph.js';

/** Where a step of one request stands. `dropped`: the request was settled without it. */
export type StepState = 'waiting' | 'sent' | 'done' | 'failed' | 'dropped';

export const STEP_MOVES = {
  waiting: ['sent', 'dropped'],
  sent: ['done', 'failed', 'dropped'],
  done: [],
  failed: [],
  dropped: [],
} as const satisfies MoveTable<StepState>;

/** The steps of one request: which may be sent now, and whether anything is left. Pure. */
export class StepStates {
  readonly #graph: EnsembleGraph;
  readonly #states: StepState[];
  /** By step: tensors that it still waits for. */
  readonly #missing: number[];
  #open: number;

  constructor(graph: EnsembleGraph) {
    this.#graph = graph;
    this.#states = graph.steps.map(() => 'waiting');
    this.#missing = graph.steps.map(
      ({ takes }) =>
        new Set(takes.filter(({ tensor }) => graph.tensors[tensor]?.from !== -1).map((t) => t.tensor)).size,
    );
    this.#open = graph.steps.length;
  }

  state(step: number): StepState {
    return this.#states[step] as StepState;
  }

  /** Every step is done. */
  get complete(): boolean {
    return this.#open === 0;
  }

  /** Steps that can be sent at the beginning, ascending. */
  first(): number[] {
    return this.#graph.steps.filter(({ index }) => this.#missing[index] === 0).map(({ index }) => index);
  }

  sent(step: number): void {
    this.#move(step, 'sent');
  }

  /** A step was answered. Gives the steps that can be sent for it, ascending. */
  done(step: number): number[] {
    this.#move(step, 'done');
    this.#open--;
    const ready: number[] = [];
    for (const { tensor } of this.#graph.steps[step]?.gives ?? [])
      for (const taker of this.#graph.tensors[tensor]?.takers ?? []) {
        const missing = (this.#missing[taker] as number) - 1;
        this.#missing[taker] = missing;
        if (missing === 0) ready.push(taker);
      }
    return ready.sort((a, b) => a - b);
  }

  failed(step: number): void {
    this.#move(step, 'failed');
  }

  /** The request is settled: nothing more is sent. Gives the steps that were sent and are not answered. */
  drop(): number[] {
    const sent: number[] = [];
    this.#states.forEach((state, step) => {
      if (state === 'sent') sent.push(step);
      if (state === 'waiting' || state === 'sent') this.#move(step, 'dropped');
    });
    return sent;
  }

  #move(step: number, to: StepState): void {
    const from = this.state(step);
    const allowed: readonly StepState[] = STEP_MOVES[from];
    if (!allowed.includes(to)) throw new Error(`no move of step ${step} from ${from} to ${to}`);
    this.#states[step] = to;
  }
}
