import {
  type Backend,
  type Clock,
  type Lane,
  type Log,
  type MemoryUse,
  type ModelSignature,
  type ModelSpec,
  type OpenedModel,
  type OpenRequest,
  type ProviderShares,
  ServingError,
} from '../../../core/index.js';
import { THREAD_MODELS, type ThreadModelKind } from '../../backend/index.js';
import { ModelWorker, type ModelWorkerOptions } from './model-worker.js';
import { ThreadLane } from './thread-lane.js';
import type { LoadedReply } from './thread-message.js';

export interface ThreadBackendOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Scripts only: a load past it ends the worker and fails. Default 60 s. */
  readonly loadLimitMs?: number;
  /** Scripts only: limit of a run whose model sets no `max_execution_ms`. Default 30 s. */
  readonly defaultRunLimitMs?: number;
  /** Scripts only: JavaScript heap of a worker in MiB, past which it is ended. Default: Node's own. */
  readonly heapMb?: number;
  /** Most bytes that the outputs of one execution may take together. Default 1 GiB. */
  readonly maxOutputBytes?: number;
}

/** While the outputs of one lane are read, the worker runs the other's batch. Responses of decoupled models are read as they come. */
const LANES_PER_INSTANCE = 2;
const LANES_OF_DECOUPLED = 1;

/**
 * Models that run inside worker threads, one worker an instance: `script` (JavaScript in the repository) and `onnx-node`
 * (onnxruntime-node's binding). A script past its limit is ended with its worker. A run of the binding never is, for the
 * process would die with it: its lane is lost until the run ends.
 */
export function threadBackend(kind: ThreadModelKind, options: ThreadBackendOptions): Backend {
  const facts = THREAD_MODELS[kind];
  return {
    name: facts.backend,
    platform: facts.platform,
    defaultModelFiles: facts.defaultModelFiles,
    async open(request: OpenRequest): Promise<OpenedModel> {
      const limits = kind === 'script' ? scriptLimits(request, options) : NO_LIMITS;
      const start = (instance: number) =>
        ModelWorker.start({
          kind,
          module: facts.module,
          request,
          instance,
          clock: options.clock,
          log: options.log,
          maxOutputBytes: options.maxOutputBytes ?? 2 ** 30,
          ...limits,
        });
      // The first instance's worker opens the model; it tells the signature and then serves.
      return new ThreadedModel(start, await start(0), request.decoupled?.requestsPerInstance, options.clock);
    },
  };
}

type Limits = Pick<ModelWorkerOptions, 'loadLimitMs' | 'runLimitMs' | 'heapMb'>;

const NO_LIMITS: Limits = { loadLimitMs: 0, runLimitMs: 0, heapMb: undefined };

function scriptLimits(request: OpenRequest, options: ThreadBackendOptions): Limits {
  return {
    loadLimitMs: options.loadLimitMs ?? 60_000,
    runLimitMs: request.maxExecutionMs || (options.defaultRunLimitMs ?? 30_000),
    heapMb: options.heapMb,
  };
}

type Started = Awaited<ReturnType<typeof ModelWorker.start>>;

/** The worker of an instance and the lanes that share it. */
interface Seat {
  readonly worker: Promise<ModelWorker>;
  /** The same, once it has started. */
  started: ModelWorker | undefined;
  readonly lanes: ThreadLane[];
}

class ThreadedModel implements OpenedModel {
  readonly lanesPerInstance: number;
  readonly signature: ModelSignature;
  readonly providers: ProviderShares;
  readonly fallback: string | undefined;
  readonly #start: (instance: number) => Promise<Started>;
  readonly #clock: Clock;
  /** Requests at once of a worker, each an instance to the executor. */
  readonly #perWorker: number;
  readonly #seats = new Map<number, Seat>();
  /** Workers that ended and whose threads are still to be joined. */
  readonly #ended = new Set<Promise<void>>();
  #closed = false;

  constructor(
    start: (instance: number) => Promise<Started>,
    first: Started,
    /** Undefined: the model is not decoupled. */
    requestsAtOnce: number | undefined,
    clock: Clock,
  ) {
    this.#start = start;
    this.#clock = clock;
    this.#perWorker = requestsAtOnce ?? 1;
    this.lanesPerInstance = requestsAtOnce === undefined ? LANES_PER_INSTANCE : LANES_OF_DECOUPLED;
    const { signature, providers, fallback }: LoadedReply = first.loaded;
    this.signature = signature;
    this.providers = providers;
    this.fallback = fallback;
    this.#seat(0, Promise.resolve(first.worker));
  }

  async createLane(spec: ModelSpec, instance: number): Promise<Lane> {
    if (this.#closed) throw new ServingError('DRAINING', 'the model is closed');
    const index = Math.floor(instance / this.#perWorker);
    let seat = this.#seats.get(index) ?? this.#begin(index);
    let worker = await seat.worker;
    if (worker.gone) {
      seat = this.#seats.get(index) ?? this.#begin(index);
      worker = await seat.worker;
    }
    const lane = new ThreadLane(worker, spec, seat.lanes.length, this.#clock);
    seat.lanes.push(lane);
    return lane;
  }

  memory(): MemoryUse[] {
    const told = [...this.#seats.values()].map(({ started }) => started?.heapBytes);
    const known = told.filter((bytes) => bytes !== undefined);
    return known.length === 0 ? [] : [{ type: 'CPU', id: 0, bytes: known.reduce((sum, bytes) => sum + bytes, 0) }];
  }

  async close(): Promise<void> {
    this.#closed = true;
    const seats = [...this.#seats.values()];
    this.#seats.clear();
    await Promise.all(seats.map(async ({ worker }) => (await worker).close()));
    await Promise.all(this.#ended);
  }

  #begin(instance: number): Seat {
    const starting = this.#start(instance).then((started) => started.worker);
    return this.#seat(instance, starting);
  }

  #seat(instance: number, starting: Promise<ModelWorker>): Seat {
    const lanes: ThreadLane[] = [];
    const worker = starting.then(
      (started) => {
        started.onGone = () => {
          this.#leave(instance, seat, started);
          for (const lane of lanes) lane.onBroken?.();
        };
        if (started.gone) this.#leave(instance, seat, started);
        else seat.started = started;
        return started;
      },
      (error) => {
        if (this.#seats.get(instance) === seat) this.#seats.delete(instance);
        throw error;
      },
    );
    const seat: Seat = { worker, lanes, started: undefined };
    this.#seats.set(instance, seat);
    return seat;
  }

  #leave(instance: number, seat: Seat, worker: ModelWorker): void {
    if (this.#seats.get(instance) === seat) this.#seats.delete(instance);
    const joined = worker.close().finally(() => this.#ended.delete(joined));
    this.#ended.add(joined);
  }
}
