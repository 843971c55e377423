import {
  type Batch,
  type BatchOutcome,
  type Clock,
  executedRows,
  type Lane,
  type ModelSpec,
  type OpenedModel,
  ServingError,
} from '../../src/core/index.js';
import type { Random } from './seeded-random.js';

/** One execution as it was: from its take to the end that the lane tells. */
export interface SeenExecution {
  readonly device: string;
  readonly model: string;
  readonly fromNs: number;
  toNs: number;
}

export interface LaneChances {
  readonly fails: number;
  readonly mismatches: number;
  readonly longestNs: number;
}

/** Lanes on a clock that take a random time, and fail, or answer in the wrong shape, now and then. Every execution is noted. */
export class ChanceModel implements OpenedModel {
  readonly signature = { inputs: [], outputs: [] };
  readonly providers = { fake: 1 };
  readonly fallback = undefined;
  readonly lanesPerInstance = 1;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #chances: LaneChances;
  readonly #devices: readonly string[];
  readonly #seen: SeenExecution[];

  /** `devices`: of each instance. */
  constructor(clock: Clock, random: Random, chances: LaneChances, devices: readonly string[], seen: SeenExecution[]) {
    this.#clock = clock;
    this.#random = random;
    this.#chances = chances;
    this.#devices = devices;
    this.#seen = seen;
  }

  async createLane(spec: ModelSpec, instance: number): Promise<Lane> {
    const device = this.#devices[instance] as string;
    return new ChanceLane(this.#clock, this.#random, this.#chances, spec, (fromNs) => {
      const execution = { device, model: spec.id.model, fromNs, toNs: Number.NaN };
      this.#seen.push(execution);
      return execution;
    });
  }

  async close(): Promise<void> {}
}

class ChanceLane implements Lane {
  readonly broken = false;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #chances: LaneChances;
  readonly #spec: ModelSpec;
  readonly #begun: (fromNs: number) => SeenExecution;
  #stop: (() => void) | undefined;

  constructor(
    clock: Clock,
    random: Random,
    chances: LaneChances,
    spec: ModelSpec,
    begun: (fromNs: number) => SeenExecution,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#chances = chances;
    this.#spec = spec;
    this.#begun = begun;
  }

  run(batch: Batch, settle: (outcome: BatchOutcome) => void): void {
    const { fails, mismatches, longestNs } = this.#chances;
    const clock = this.#clock;
    const takenNs = clock.nowNs();
    const execution = this.#begun(takenNs);
    const end = (error: ServingError | undefined) => {
      if (!Number.isNaN(execution.toNs)) return;
      this.#stop = undefined;
      timer.clear();
      const finishedNs = clock.nowNs();
      execution.toNs = finishedNs;
      const timing = { takenNs, gatheredNs: takenNs, startedNs: takenNs, finishedNs };
      if (error !== undefined) settle({ kind: 'failed', error, timing });
      else settle({ kind: 'done', outputs: this.#outputs(batch, this.#random() < mismatches), timing });
    };
    const failed = this.#random() < fails ? new ServingError('BACKEND_FAILED', 'the model failed') : undefined;
    const timer = clock.setTimer(takenNs + 1 + Math.floor(this.#random() * longestNs), () => end(failed));
    this.#stop = () => end(new ServingError('CLIENT_CANCELLED', 'stopped'));
  }

  cancel(): void {
    const stop = this.#stop;
    this.#stop = undefined;
    if (stop !== undefined && this.#random() < 0.5) this.#clock.setTimer(this.#clock.nowNs() + 10, stop);
  }

  async close(): Promise<void> {}

  #outputs(batch: Batch, wrong: boolean) {
    const rows = executedRows(batch) + (wrong ? 1 : 0);
    return this.#spec.outputs.map(({ name, dataType, dims }) => {
      const shape = [rows, ...dims];
      return { name, dataType, shape, data: new Uint8Array(shape.reduce((a, b) => a * b, 4)) };
    });
  }
}

/** What each execution has of its device by definition: at each instant one n-th, where n run. Quadratic. */
export function sharesOf(executions: readonly SeenExecution[]): Map<SeenExecution, number> {
  const shares = new Map<SeenExecution, number>(executions.map((execution) => [execution, 0]));
  for (const device of new Set(executions.map((execution) => execution.device))) {
    const own = executions.filter((execution) => execution.device === device);
    const instants = [...new Set(own.flatMap(({ fromNs, toNs }) => [fromNs, toNs]))].sort((a, b) => a - b);
    for (let i = 1; i < instants.length; i++) {
      const [from, to] = [instants[i - 1] as number, instants[i] as number];
      const running = own.filter(({ fromNs, toNs }) => fromNs <= from && toNs >= to);
      for (const execution of running)
        shares.set(execution, (shares.get(execution) as number) + (to - from) / running.length);
    }
  }
  return shares;
}
