import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { ChargeSource, Log, ModelTraffic, ReleaseFacts } from '../../core/index.js';
import type { RequestQueue } from '../batcher/index.js';
import { CallReceiver, type TenantNamed } from './call-receiver.js';
import { callMemory } from './call-table.js';
import type { ControlDesk } from './remote-control.js';
import { TableFeed } from './table-feed.js';
import { BELL, type FromThread, type PublishedVersion, type ThreadStart, type ToThread } from './thread-messages.js';
import { errorOfWire, wireError } from './wire-error.js';

/** A version that a thread is to route to. */
export interface RoutedVersion extends PublishedVersion {
  /** Its queue on this thread, and that of copies. */
  readonly queue: RequestQueue;
  readonly shadowQueue?: RequestQueue | undefined;
}

/** What this needs of a `Worker`. */
export interface RunningThread {
  on(event: 'error', listener: (error: Error) => void): unknown;
  once(event: 'exit', listener: () => void): unknown;
  readonly performance: { eventLoopUtilization(): { readonly active: number } };
}

/** Begins a thread whose entry finds `start` in its `workerData`. */
export type BeginThread = (
  name: string,
  start: ThreadStart<unknown>,
  transferList: readonly MessagePort[],
) => RunningThread;

export interface ThreadParts {
  readonly begin: BeginThread;
  readonly name: string;
  /** Calls of the thread in flight at once; a power of two. */
  readonly calls: number;
  /** For the entry; cloned. */
  readonly settings: unknown;
  readonly desk: ControlDesk;
  readonly tenantNamed: TenantNamed;
  readonly charges: ChargeSource;
  /** Told what the thread notes. */
  readonly facts: ReleaseFacts;
  readonly log: Log;
  /** Called once when the thread has ended without being told to; what it had in flight is cancelled by then. */
  readonly onLost: (why: string) => void;
}

/** One ingress thread as the control thread holds it. */
export class IngressThread {
  readonly #parts: ThreadParts;
  readonly #worker: RunningThread;
  readonly #port: MessagePort;
  readonly #beside: MessagePort;
  readonly #tables = new TableFeed();
  readonly #responses: MessagePort;
  readonly #started: Promise<void>;
  readonly #ended: Promise<void>;
  readonly #memory: ReturnType<typeof callMemory>;
  readonly #waiting = new Map<number, () => void>();
  readonly #factsAsked = new Map<number, () => void>();
  #factsCalls = 0;
  /** What the thread was last told to route to, by model. */
  readonly #routed = new Map<string, readonly RoutedVersion[]>();
  #receiver: CallReceiver | undefined;
  #state: 'starting' | 'serving' | 'closing' | 'ended' = 'starting';
  #why = 'it ended by itself';

  constructor(parts: ThreadParts) {
    this.#parts = parts;
    this.#memory = callMemory(parts.calls);
    const main = new MessageChannel();
    const beside = new MessageChannel();
    const responses = new MessageChannel();
    this.#port = main.port1;
    this.#beside = beside.port1;
    this.#responses = responses.port1;
    const start: ThreadStart<unknown> = {
      port: main.port2,
      beside: beside.port2,
      tables: this.#tables.reader,
      responses: responses.port2,
      memory: this.#memory,
      settings: parts.settings,
    };
    const ports = [main.port2, beside.port2, this.#tables.reader.port, responses.port2];
    this.#worker = parts.begin(parts.name, start, ports);
    this.#worker.on('error', (error) => {
      this.#why = error.stack ?? error.message;
    });
    this.#started = new Promise((resolve, reject) => {
      this.#port.on('message', (message: FromThread | typeof BELL) => {
        if (message === BELL) this.#receiver?.take();
        else if (message.kind === 'started') resolve(this.#start(message));
        else if (message.kind === 'cannot-start') reject(errorOfWire(message.error));
        else this.#act(message);
      });
      this.#worker.once('exit', () => reject(new Error(`the thread ended before it served: ${this.#why}`)));
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#end();
        resolve();
      });
    });
    // Who awaits it is told.
    this.#started.catch(() => {});
  }

  /** Rejects where it cannot serve; it has ended or is about to. */
  get started(): Promise<void> {
    return this.#started;
  }

  get name(): string {
    return this.#parts.name;
  }

  get serving(): boolean {
    return this.#state === 'serving';
  }

  /** Time in which its event loop was busy, since it began. */
  get busySeconds(): number {
    return this.#worker.performance.eventLoopUtilization().active / 1000;
  }

  /**
   * Tells the thread what serves of a model, and how requests find it. Resolves when it routes by that: every call it sent before is in a queue, and
   * none of a version that was left out will come. At once where the thread is gone.
   */
  publish(
    publication: number,
    model: string,
    versions: readonly RoutedVersion[],
    traffic: ModelTraffic,
    table: number,
  ): Promise<void> {
    const receiver = this.#receiver;
    if (receiver === undefined || this.#state === 'ended') return Promise.resolve();
    const before = this.#routed.get(model) ?? [];
    this.#routed.set(model, versions);
    for (const { number, spec, queue, shadowQueue } of versions) receiver.add(number, spec, queue, shadowQueue);
    this.#tables.send({
      publication,
      model,
      versions: versions.map(({ number, spec, figures }) => ({ number, spec, figures })),
      traffic,
      table,
    });
    return new Promise((resolve) => {
      this.#waiting.set(publication, () => {
        const routed = this.#routed.get(model) ?? [];
        for (const { number } of before) if (!routed.some((now) => now.number === number)) receiver.remove(number);
        resolve();
      });
    });
  }

  /** Resolves when all that the thread has noted until it hears of this is told. At once where the thread is gone. */
  factsTold(): Promise<void> {
    if (this.#state !== 'serving') return Promise.resolve();
    const call = this.#factsCalls++;
    this.#tell({ kind: 'send-facts', call });
    return new Promise((resolve) => {
      this.#factsAsked.set(call, resolve);
    });
  }

  refreshHealth(): void {
    if (this.#state === 'serving') this.#tell({ kind: 'refresh-health' });
  }

  closeIntake(): void {
    if (this.#state === 'serving') this.#tell({ kind: 'close-intake' });
  }

  /** Resolves when it has answered everything and ended. */
  close(): Promise<void> {
    if (this.#state === 'serving') {
      this.#state = 'closing';
      this.#tell({ kind: 'close' });
    }
    return this.#ended;
  }

  #start({ slots }: Extract<FromThread, { kind: 'started' }>): void {
    this.#receiver = new CallReceiver({
      memory: this.#memory,
      slots,
      beside: this.#beside,
      responses: this.#responses,
      wake: () => this.#port.postMessage(BELL),
      tenantNamed: this.#parts.tenantNamed,
      charges: this.#parts.charges,
    });
    this.#state = 'serving';
    // Asks to be woken from the first call on.
    this.#receiver.take();
  }

  #act(message: Exclude<FromThread, { kind: 'started' | 'cannot-start' }>): void {
    switch (message.kind) {
      case 'routed': {
        // What it sent before it routed anew must be queued before anyone drains.
        this.#receiver?.takeAll();
        const resolve = this.#waiting.get(message.publication);
        this.#waiting.delete(message.publication);
        resolve?.();
        return;
      }
      case 'ask':
        void this.#answer(message);
        return;
      case 'log':
        this.#parts.log[message.level](message.message, message.fields);
        return;
      case 'facts': {
        const { facts } = this.#parts;
        for (const fact of message.facts) facts.note(fact);
        if (message.lost > 0) facts.lost?.(message.lost);
        this.#tell({ kind: 'facts-taken' });
        return;
      }
      case 'facts-sent':
        this.#factsAsked.get(message.call)?.();
        this.#factsAsked.delete(message.call);
        return;
      case 'crashed':
        this.#why = message.cause;
        return;
      case 'closed':
        this.#state = 'closing';
    }
  }

  async #answer({ call, method, args }: Extract<FromThread, { kind: 'ask' }>): Promise<void> {
    try {
      this.#tell({ kind: 'answer', call, value: await this.#parts.desk.answer(method, args) });
    } catch (thrown) {
      this.#tell({ kind: 'refusal', call, error: wireError(thrown) });
    }
  }

  /** What a thread says last may come after it is gone. */
  #takeLastMessages(): void {
    for (let last = receiveMessageOnPort(this.#port); last !== undefined; last = receiveMessageOnPort(this.#port)) {
      const message = last.message as FromThread | typeof BELL;
      if (message !== BELL && (message.kind === 'facts' || message.kind === 'crashed' || message.kind === 'log'))
        this.#act(message);
    }
  }

  #tell(message: ToThread): void {
    this.#port.postMessage(message);
  }

  #end(): void {
    const lost = this.#state === 'serving';
    this.#takeLastMessages();
    this.#state = 'ended';
    this.#port.close();
    this.#beside.close();
    this.#tables.close();
    this.#responses.close();
    this.#receiver?.abandon();
    for (const resolve of [...this.#waiting.values(), ...this.#factsAsked.values()]) resolve();
    this.#waiting.clear();
    this.#factsAsked.clear();
    if (lost) this.#parts.onLost(this.#why);
  }
}
