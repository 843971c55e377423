import { setTimeout as wait } from 'node:timers/promises';
import type { AdminFlags } from '../admin-client.js';
import { CliError, EXIT_CODES, type ExitCode } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import type { RolloutClient, RolloutView } from './rollout-client.js';
import { entryText, rolloutText } from './rollout-text.js';
import { rolloutClient } from './steer.js';

export interface WatchFlags extends AdminFlags {
  /** Seconds between looks. */
  readonly interval: number;
  readonly stopAtPause?: boolean;
}

/** Follows a rollout to its end: a view that is drawn anew on a terminal, lines in a pipe. Its end is the exit code. */
export async function watchRollout(id: string, flags: WatchFlags, io: CliIo): Promise<ExitCode> {
  const client = rolloutClient(flags, io);
  const stopped = new AbortController();
  const release = io.onSignal(() => stopped.abort());
  const view = io.isTTY ? new LiveView(io) : new Lines(client, io);
  try {
    for (;;) {
      const status = await patient(() => client.status(id));
      await view.show(status);
      const code = codeOf(status, flags);
      if (code !== undefined) return code;
      await wait(flags.interval * 1000, undefined, { signal: stopped.signal });
    }
  } catch (thrown) {
    // Whoever stops looking stops nothing else.
    if (stopped.signal.aborted) return EXIT_CODES.failed;
    throw thrown;
  } finally {
    release();
  }
}

/** Undefined: it goes on. Rolling back, the candidate answers nothing any more: copies for diagnosis are not waited for. */
function codeOf({ state }: RolloutView, { stopAtPause }: WatchFlags): ExitCode | undefined {
  if (state === 'promoted') return EXIT_CODES.done;
  if (state === 'rolled-back' || state === 'rolling-back') return EXIT_CODES.rolledBack;
  return state === 'paused' && stopAtPause === true ? EXIT_CODES.needsPerson : undefined;
}

/** A gateway that is started anew goes on with its rollouts: it gets some time. */
async function patient<T>(ask: () => Promise<T>, triesLeft = 30): Promise<T> {
  try {
    return await ask();
  } catch (thrown) {
    if (triesLeft === 0 || !(thrown instanceof CliError) || thrown.exitCode !== EXIT_CODES.unreachable) throw thrown;
    await wait(1000);
    return patient(ask, triesLeft - 1);
  }
}

class LiveView {
  readonly #io: CliIo;
  #drawn = 0;

  constructor(io: CliIo) {
    this.#io = io;
  }

  async show(status: RolloutView): Promise<void> {
    const text = rolloutText(status);
    // Up to where the last view began, and down again line by line, so that nothing flickers.
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A`;
    this.#io.stdout.write(`${up}${text.replaceAll('\n', '\x1b[K\n')}\x1b[J`);
    this.#drawn = text.split('\n').length - 1;
  }
}

/** What is new in the log since the last look. */
class Lines {
  readonly #client: RolloutClient;
  readonly #io: CliIo;
  #last = 0;

  constructor(client: RolloutClient, io: CliIo) {
    this.#client = client;
    this.#io = io;
  }

  async show({ id }: RolloutView): Promise<void> {
    const { lines, last } = await this.#client.log(id, this.#last);
    this.#last = last;
    for (const line of lines) {
      const text = entryText(line);
      if (text !== undefined) this.#io.stdout.write(`${text}\n`);
    }
  }
}
