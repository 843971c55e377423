import type {
  ChargeSource,
  Clock,
  ClockTimer,
  Log,
  ModelSpec,
  ModelTraffic,
  ReleaseFacts,
  Tenant,
} from '../../core/index.js';
import type { RequestQueue } from '../batcher/index.js';
import { type BeginThread, IngressThread, type RoutedVersion } from './ingress-thread.js';
import type { ControlDesk } from './remote-control.js';
import type { ListeningPorts } from './thread-messages.js';

/** A thread that ends sooner than this after it began is not replaced at once, but after as long. */
const REPLACE_AFTER_MS = 1000;

export interface IngressOptions {
  readonly threads: number;
  readonly begin: BeginThread;
  /** Calls of one thread in flight at once; a power of two. */
  readonly calls: number;
  /** What the entry of thread `index` is given; `ports` are those to listen on. */
  readonly settingsOf: (index: number, ports: ListeningPorts) => unknown;
  /** Where thread `index` counts the requests of a version. */
  readonly figuresOf: (id: ModelSpec['id'], index: number) => SharedArrayBuffer;
  readonly desk: ControlDesk;
  /** The tenant of a name, as the control thread knows it. */
  readonly tenantNamed: (name: string, nowNs: number) => Tenant;
  /** The charges of the control thread. */
  readonly charges: ChargeSource;
  /** Told what the threads note of releases, some milliseconds later. */
  readonly facts: ReleaseFacts;
  readonly clock: Clock;
  readonly log: Log;
}

/** A version that is to be routed to, by whatever number this gives it. */
export interface PublishableVersion {
  readonly spec: ModelSpec;
  readonly queue: RequestQueue;
  /** Of copies of requests. */
  readonly shadowQueue?: RequestQueue | undefined;
}

/** What was published of a model last. */
interface Publication {
  readonly versions: readonly PublishableVersion[];
  readonly traffic: ModelTraffic;
  readonly table: number;
}

/** The ingress threads of a gateway: they listen on the same ports and route by the same table. */
export class IngressThreads {
  readonly #options: IngressOptions;
  readonly #threads: (IngressThread | undefined)[];
  readonly #published = new Map<string, Publication>();
  readonly #numbers = new WeakMap<PublishableVersion, number>();
  readonly #timers = new Set<ClockTimer>();
  #failures = 0;
  #publications = 0;
  #routed: Promise<unknown> = Promise.resolve();
  #ports: ListeningPorts = { http: undefined, grpc: undefined };
  #lastNumber = 0;
  #draining = false;
  #closed: Promise<void> | undefined;

  constructor(options: IngressOptions) {
    this.#options = options;
    this.#threads = new Array(options.threads).fill(undefined);
  }

  /** Starts all threads on these ports. Rejects, with none left, where one cannot serve; it may be tried again then. */
  async start(ports: ListeningPorts): Promise<void> {
    this.#ports = ports;
    const started = await Promise.allSettled(this.#threads.map((_, index) => this.#startThread(index)));
    const failed = started.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return;
    await this.#end();
    throw failed.reason;
  }

  /** Threads that serve. */
  get serving(): number {
    return this.#threads.filter((thread) => thread?.serving === true).length;
  }

  /** Seconds in which the event loop of each thread was busy, by its name. */
  *busySeconds(): Iterable<readonly [name: string, seconds: number]> {
    for (const thread of this.#threads) if (thread !== undefined) yield [thread.name, thread.busySeconds];
  }

  /** Threads that ended by a fault. */
  get failures(): number {
    return this.#failures;
  }

  /** `table`: number of the control thread's table that says this. Resolves when every thread routes by it. */
  async publish(
    model: string,
    versions: readonly PublishableVersion[],
    traffic: ModelTraffic,
    table: number,
  ): Promise<void> {
    if (versions.length === 0) this.#published.delete(model);
    else this.#published.set(model, { versions, traffic, table });
    const publication = this.#publications++;
    const reached = this.#threads.map((thread, index) =>
      thread?.publish(publication, model, this.#routedBy(index, versions), traffic, table),
    );
    this.#routed = Promise.all([this.#routed, ...reached]);
    await this.#routed;
  }

  /** Resolves when every thread routes by what has been published until now. */
  async routed(): Promise<void> {
    await this.#routed;
  }

  /** Resolves when all that the threads have noted of requests answered until now is told. */
  async factsTold(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread?.factsTold()));
  }

  refreshHealth(): void {
    for (const thread of this.#threads) thread?.refreshHealth();
  }

  closeIntake(): void {
    this.#draining = true;
    for (const thread of this.#threads) thread?.closeIntake();
  }

  /** Resolves when all have answered what they took, and ended. */
  close(): Promise<void> {
    this.#draining = true;
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    for (const timer of this.#timers) timer.clear();
    this.#timers.clear();
    await Promise.all(this.#threads.map((thread) => thread?.close()));
    this.#threads.fill(undefined);
  }

  async #startThread(index: number): Promise<void> {
    const { begin, calls, settingsOf, desk, tenantNamed, charges, facts, log, clock } = this.#options;
    const beganNs = clock.nowNs();
    const thread = new IngressThread({
      begin,
      name: `ingress ${index}`,
      calls,
      settings: settingsOf(index, this.#ports),
      desk,
      tenantNamed,
      charges,
      facts,
      log,
      onLost: (why) => this.#lost(index, why, (clock.nowNs() - beganNs) / 1e6),
    });
    await thread.started;
    this.#threads[index] = thread;
    for (const [model, { versions, traffic, table }] of this.#published) {
      void thread.publish(this.#publications++, model, this.#routedBy(index, versions), traffic, table);
    }
  }

  #routedBy(index: number, versions: readonly PublishableVersion[]): RoutedVersion[] {
    return versions.map((version) => ({
      ...version,
      number: this.#numberOf(version),
      figures: this.#options.figuresOf(version.spec.id, index),
    }));
  }

  #numberOf(version: PublishableVersion): number {
    let number = this.#numbers.get(version);
    if (number === undefined) {
      number = ++this.#lastNumber;
      this.#numbers.set(version, number);
    }
    return number;
  }

  #lost(index: number, why: string, livedMs: number): void {
    this.#failures++;
    this.#threads[index] = undefined;
    this.#options.log.error('an ingress thread failed; its requests are lost, its clients disconnected', {
      index,
      why,
    });
    if (livedMs >= REPLACE_AFTER_MS) void this.#replace(index);
    else this.#replaceLater(index);
  }

  #replaceLater(index: number): void {
    if (this.#draining) return;
    const { clock } = this.#options;
    const timer = clock.setTimer(clock.nowNs() + REPLACE_AFTER_MS * 1e6, () => {
      this.#timers.delete(timer);
      void this.#replace(index);
    });
    this.#timers.add(timer);
  }

  /** Never rejects. */
  async #replace(index: number): Promise<void> {
    if (this.#draining) return;
    try {
      await this.#startThread(index);
      this.#options.log.info('an ingress thread was replaced', { index });
      // It may have come too late for what the others were told.
      if (this.#closed !== undefined) await this.#threads[index]?.close();
      else if (this.#draining) this.#threads[index]?.closeIntake();
    } catch (cause) {
      this.#options.log.error('an ingress thread cannot be replaced yet', { index, cause });
      this.#replaceLater(index);
    }
  }
}
