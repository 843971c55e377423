import type { Batch, Clock, Executor, ServingError } from '../../core/index.js';

/** What a stretch of work showed. */
export interface Stretch {
  /** Nanoseconds of each execution, from its take to its end, in the order they ended. */
  readonly executionsNs: readonly number[];
  /** From the first take to the last end. */
  readonly wallNs: number;
}

/**
 * Keeps all instances at work on one batch until `untilNs` is past and each has run at least once, and waits for the last of
 * them. Takes the executor's listener. Rejects with the first error of an execution.
 */
export function keepBusy(
  executor: Pick<Executor, 'slots' | 'freeSlots' | 'execute' | 'onSlotFree'>,
  batch: Batch,
  untilNs: number,
  clock: Clock,
): Promise<Stretch> {
  return new Promise((resolve, reject) => {
    const executionsNs: number[] = [];
    const startNs = clock.nowNs();
    const least = Math.max(executor.slots(), 1);
    let started = 0;
    let running = 0;
    let failure: ServingError | undefined;
    const wanted = () => failure === undefined && (started < least || clock.nowNs() < untilNs);
    const finish = () => {
      if (failure === undefined) resolve({ executionsNs, wallNs: clock.nowNs() - startNs });
      else reject(failure);
    };
    // An instance is offered before its execution is settled, or after: whichever comes last finds that all is over.
    const pump = () => {
      while (wanted() && executor.freeSlots() > 0) {
        started++;
        running++;
        executor.execute(batch, (outcome) => {
          running--;
          const { takenNs, finishedNs } = outcome.timing;
          if (outcome.kind === 'failed') failure ??= outcome.error;
          else executionsNs.push(finishedNs - takenNs);
          if (running === 0 && !wanted()) finish();
        });
      }
      if (running === 0 && started > 0 && !wanted()) finish();
    };
    executor.onSlotFree = pump;
    pump();
  });
}
