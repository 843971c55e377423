import type { CallOptions } from './protocol.js';
import { type CallDefaults, retriedWithin, timeoutOf } from './retry.js';
import { TimeLimit } from './time-limit.js';

/** Parts of an answer as they come. Leaving the loop, or aborting the signal, cancels what is left on the server. */
export type Parts<T> = AsyncGenerator<T, void, undefined>;

/**
 * A call whose answer has several parts. Nothing is sent until the first is asked for. It is tried again as other calls are, until its
 * first part has come; its time is that of all parts. `start` has to end what it holds when its generator is left or `limit` aborts.
 */
export async function* streamed<T>(
  options: CallOptions,
  defaults: CallDefaults,
  address: string,
  start: (limit: TimeLimit) => Parts<T>,
): Parts<T> {
  const limit = new TimeLimit(timeoutOf(options, defaults), options.signal);
  try {
    const { parts, first } = await retriedWithin(limit, defaults.retry, address, async () => {
      const begun = start(limit);
      return { parts: begun, first: await begun.next() };
    });
    try {
      if (first.done !== true) yield first.value;
      for await (const part of parts) {
        // Several may have come at once: those that nobody asked for in time are dropped.
        limit.signal.throwIfAborted();
        yield part;
      }
    } finally {
      await parts.return();
    }
  } catch (thrown) {
    throw limit.failure(thrown, address);
  } finally {
    limit.end();
  }
}
