import { ServingError, type TextTask } from '../../../core/index.js';
import type { Call } from '../../codec/index.js';
import { type Awaitable, mapped } from '../ports.js';
import { frameOf } from './framing/frame.js';
import type { CallHandler } from './framing/method.js';
import type { ServerCall } from './framing/server-call.js';
import type { GrpcState } from './grpc-options.js';
import { failureOf } from './grpc-status.js';

type HealthStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

/** The server as a whole, and its services, which are ready or not together with it; and what models those of texts have to have. */
const SERVICES: Readonly<Record<string, readonly TextTask[] | undefined>> = {
  '': undefined,
  'inference.GRPCInferenceService': undefined,
  'tei.v1.Info': undefined,
  'tei.v1.Tokenize': undefined,
  'tei.v1.Embed': ['embed', 'sparse'],
  'tei.v1.Predict': ['classify', 'rerank'],
  'tei.v1.Rerank': ['rerank'],
};

/** grpc.health.v1 (doc/health-checking.md): the readiness of the control plane, and NOT_SERVING from `drain` on. */
export class HealthService {
  readonly #state: GrpcState;
  readonly #watchers = new Set<Watcher>();

  constructor(state: GrpcState) {
    this.#state = state;
  }

  check(call: Call): (surface: ServerCall) => CallHandler {
    return (surface) => ({
      message: (bytes) => {
        // Settles by itself: every failure is answered inside.
        void this.#check(call, surface, bytes);
      },
      halfClosed() {},
      cancelled() {},
    });
  }

  async #check(call: Call, surface: ServerCall, bytes: Buffer): Promise<void> {
    try {
      const { service } = call.decode(bytes) as { readonly service: string };
      const status = await this.#statusOf(service);
      if (status === 'SERVICE_UNKNOWN')
        throw new ServingError('ROUTE_NOT_FOUND', `no service ${JSON.stringify(service)} here`);
      surface.answer(frameOf(call.encode({ status })));
    } catch (thrown) {
      surface.fail(failureOf(thrown, 'Check', this.#state.log));
    }
  }

  watch(call: Call): (surface: ServerCall) => CallHandler {
    return (surface) => {
      let watcher: Watcher | undefined;
      return {
        message: (bytes) => {
          try {
            watcher = this.#watch(call, surface, bytes);
          } catch (thrown) {
            surface.fail(failureOf(thrown, 'Watch', this.#state.log));
          }
        },
        halfClosed() {},
        cancelled: () => {
          if (watcher !== undefined) this.#watchers.delete(watcher);
        },
      };
    };
  }

  /** Tells every watcher what is the case now. */
  refresh(): void {
    for (const watcher of this.#watchers) watcher.refresh();
  }

  /** Ends every Watch; each has been told NOT_SERVING before. */
  end(): void {
    for (const watcher of this.#watchers) watcher.end(new ServingError('DRAINING', 'the server is shutting down'));
    this.#watchers.clear();
  }

  #watch(call: Call, surface: ServerCall, bytes: Buffer): Watcher {
    const { service } = call.decode(bytes) as { readonly service: string };
    if (this.#watchers.size >= this.#state.maxWatchers) {
      throw new ServingError(
        'OVERLOADED',
        `${this.#watchers.size} clients watch the health service, no more are let in`,
      );
    }
    const watcher = new Watcher(surface, call, () => this.#statusOf(service));
    this.#watchers.add(watcher);
    watcher.refresh();
    return watcher;
  }

  #statusOf(service: string): Awaitable<HealthStatus> {
    if (!Object.hasOwn(SERVICES, service)) return 'SERVICE_UNKNOWN';
    const { inFlight, control, specs } = this.#state;
    if (inFlight.draining) return 'NOT_SERVING';
    const tasks = SERVICES[service];
    if (tasks !== undefined && !specs.textModels().some(({ text }) => text !== undefined && tasks.includes(text.task)))
      return 'NOT_SERVING';
    return mapped(control.ready(), ({ ready }) => (ready && !inFlight.draining ? 'SERVING' : 'NOT_SERVING'));
  }
}

/** One Watch: sends a status when it differs from the last one sent, and holds at most one message back. */
class Watcher {
  readonly #surface: ServerCall;
  readonly #call: Call;
  readonly #status: () => Awaitable<HealthStatus>;
  #sent: HealthStatus | undefined;
  #writing = false;

  constructor(surface: ServerCall, call: Call, status: () => Awaitable<HealthStatus>) {
    this.#surface = surface;
    this.#call = call;
    this.#status = status;
  }

  refresh(): void {
    const status = this.#status();
    if (status instanceof Promise) status.then(this.#tell, () => this.#tell('NOT_SERVING'));
    else this.#tell(status);
  }

  readonly #tell = (status: HealthStatus): void => {
    if (this.#writing || status === this.#sent || this.#surface.ended) return;
    this.#sent = status;
    this.#writing = true;
    this.#surface.write(frameOf(this.#call.encode({ status })), () => {
      this.#writing = false;
      this.refresh();
    });
  };

  end(error: ServingError): void {
    this.#surface.fail(error);
  }
}
