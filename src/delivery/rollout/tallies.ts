import type { OutputSummary } from '../../core/index.js';
import { type ArmTally, type Moments, type ShadowTally, sizeCell } from '../observation.js';

/** Cells of `ArmTally.outputs`; the last one holds what has no cell of its own. */
const OUTPUT_CELLS = 64;

/** A mean and its spread, while they are counted. */
export class MomentsSum {
  #count = 0;
  #sum = 0;
  #sumOfSquares = 0;

  add(value: number): void {
    this.#count++;
    this.#sum += value;
    this.#sumOfSquares += value * value;
  }

  taken(): Moments {
    return { count: this.#count, sum: this.#sum, sumOfSquares: this.#sumOfSquares };
  }
}

/** One execution, as far as its requests are this arm's. */
export interface ExecutionCount {
  requests: number;
  errors: number;
  deviceNs: number;
  /** Of its first answered request; undefined: none was answered. */
  totalNs: number | undefined;
  /** One of the first of a version, whose times are not looked at. */
  readonly cold: boolean;
}

/** One arm's part of a stretch of time, while it is counted. */
export class ArmCount {
  #requests = 0;
  #errors = 0;
  readonly #errorsTogether: number[] = [];
  #notFinite = 0;
  #executions = 0;
  #largestExecution = 0;
  readonly #slower: number[];
  readonly #deviceBySize: MomentsSum[] = [];
  readonly #outputs = new Array<number>(OUTPUT_CELLS).fill(0);
  readonly #outputValue = new MomentsSum();

  constructor(limits: number) {
    this.#slower = new Array<number>(limits).fill(0);
  }

  /** A request that was in no execution, or came when its execution had been counted. */
  alone(failed: boolean): void {
    this.#requests++;
    if (failed) this.#errors++;
  }

  execution({ requests, errors, deviceNs, totalNs, cold }: ExecutionCount, limitsNs: readonly number[]): void {
    this.#requests += requests;
    this.#errors += errors;
    if (errors > 0) addAt(this.#errorsTogether, errors - 1);
    this.#largestExecution = Math.max(this.#largestExecution, requests);
    if (cold || totalNs === undefined) return;
    this.#executions++;
    for (let i = 0; i < limitsNs.length; i++) if (totalNs > limitsNs[i]!) this.#slower[i]!++;
    const cell = sizeCell(requests);
    while (this.#deviceBySize.length <= cell) this.#deviceBySize.push(new MomentsSum());
    this.#deviceBySize[cell]!.add(deviceNs);
  }

  output({ topIndex, topValue, finite }: OutputSummary): void {
    if (!finite) this.#notFinite++;
    this.#outputs[topIndex >= 0 && topIndex < OUTPUT_CELLS - 1 ? topIndex : OUTPUT_CELLS - 1]!++;
    if (Number.isFinite(topValue)) this.#outputValue.add(topValue);
  }

  taken(): ArmTally {
    return {
      requests: this.#requests,
      errors: this.#errors,
      errorsTogether: this.#errorsTogether,
      notFinite: this.#notFinite,
      executions: this.#executions,
      largestExecution: this.#largestExecution,
      slower: this.#slower,
      deviceBySize: this.#deviceBySize.map((moments) => moments.taken()),
      outputs: this.#outputs,
      outputValue: this.#outputValue.taken(),
    };
  }
}

function addAt(cells: number[], cell: number): void {
  while (cells.length <= cell) cells.push(0);
  cells[cell]!++;
}

/** The copies of a stretch of time, while they are counted. */
export class ShadowCount {
  compared = 0;
  agreed = 0;
  topCompared = 0;
  topAgreed = 0;
  failed = 0;
  dropped = 0;
  readonly rankCorrelation = new MomentsSum();
  readonly totalVariation = new MomentsSum();

  taken(): ShadowTally {
    const { compared, agreed, topCompared, topAgreed, failed, dropped } = this;
    return {
      compared,
      agreed,
      topCompared,
      topAgreed,
      failed,
      dropped,
      rankCorrelation: this.rankCorrelation.taken(),
      totalVariation: this.totalVariation.taken(),
    };
  }
}
