import type { RequestTrace, TraceContext, WatchedRun } from '../../core/index.js';

/** Watches one step: keeps what is told of the execution that it was part of. Its spans are made with those of the whole request. */
export class StepWatch implements RequestTrace {
  requestBytes = 0;
  client = '';
  model = '';
  enqueuedNs = 0;
  run: WatchedRun | undefined;
  /** That of the whole request. */
  readonly #of: TraceContext | undefined;

  constructor(of: TraceContext | undefined) {
    this.#of = of;
  }

  get traceId(): string {
    return this.#of?.traceId ?? '';
  }

  get spanId(): string {
    return this.#of?.spanId ?? '';
  }

  get sampled(): boolean {
    return this.#of?.sampled ?? false;
  }

  admitted(enqueuedNs: number): void {
    this.enqueuedNs = enqueuedNs;
    this.run = undefined;
  }

  /** Outputs are the lane's: they are not kept with what is told of it. */
  ran(run: WatchedRun): void {
    this.run = {
      execution: run.execution,
      queueNs: run.queueNs,
      gatherNs: run.gatherNs,
      dispatchNs: run.dispatchNs,
      computeNs: run.computeNs,
      batchRows: run.batchRows,
      paddingShare: run.paddingShare,
      batchRequests: run.batchRequests,
      device: run.device,
      batchFinishedNs: run.batchFinishedNs,
      ...(run.steps === undefined ? {} : { steps: run.steps }),
    };
  }

  decoded(): void {}
  adopt(): void {}
  broke(): void {}
  copied(): void {}
  answering(): undefined {}
  failing(): undefined {}
  ended(): void {}
}
