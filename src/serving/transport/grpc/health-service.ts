import type { handleServerStreamingCall, handleUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { ServingError } from '../../../core/index.js';
import type { Call } from '../../codec/index.js';
import type { GrpcState } from './grpc-options.js';
import { failureOf, statusOf } from './grpc-status.js';

type HealthStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

/** The server as a whole, and its service: both are ready or not together. */
const SERVICES: readonly string[] = ['', 'inference.GRPCInferenceService'];

/** grpc.health.v1 (doc/health-checking.md): the readiness of the control plane, and NOT_SERVING from `drain` on. */
export class HealthService {
  readonly #state: GrpcState;
  readonly #watchers = new Set<Watcher>();

  constructor(state: GrpcState) {
    this.#state = state;
  }

  check(call: Call): handleUnaryCall<Buffer, Buffer> {
    return (surface, callback) => {
      try {
        const { service } = call.decode(surface.request) as { readonly service: string };
        const status = this.#statusOf(service);
        if (status === 'SERVICE_UNKNOWN')
          throw new ServingError('ROUTE_NOT_FOUND', `no service ${JSON.stringify(service)} here`);
        callback(null, call.encode({ status }));
      } catch (thrown) {
        callback(statusOf(failureOf(thrown, 'Check', this.#state.log)), null);
      }
    };
  }

  watch(call: Call): handleServerStreamingCall<Buffer, Buffer> {
    return (surface) => {
      try {
        const { service } = call.decode(surface.request) as { readonly service: string };
        if (this.#watchers.size >= this.#state.maxWatchers) {
          throw new ServingError(
            'OVERLOADED',
            `${this.#watchers.size} clients watch the health service, no more are let in`,
          );
        }
        const watcher = new Watcher(surface, call, () => this.#statusOf(service));
        this.#watchers.add(watcher);
        surface.once('cancelled', () => this.#watchers.delete(watcher));
        watcher.refresh();
      } catch (thrown) {
        surface.emit('error', statusOf(failureOf(thrown, 'Watch', this.#state.log)));
      }
    };
  }

  /** Tells every watcher what is the case now. */
  refresh(): void {
    for (const watcher of this.#watchers) watcher.refresh();
  }

  /** Ends every Watch; each has been told NOT_SERVING before. */
  end(): void {
    const status = statusOf(new ServingError('DRAINING', 'the server is shutting down'));
    for (const watcher of this.#watchers) watcher.end(status);
    this.#watchers.clear();
  }

  #statusOf(service: string): HealthStatus {
    if (!SERVICES.includes(service)) return 'SERVICE_UNKNOWN';
    const { inFlight, control } = this.#state;
    return !inFlight.draining && control.ready().ready ? 'SERVING' : 'NOT_SERVING';
  }
}

/** One Watch: sends a status when it differs from the last one sent, and holds at most one message back. */
class Watcher {
  readonly #surface: ServerWritableStream<Buffer, Buffer>;
  readonly #call: Call;
  readonly #status: () => HealthStatus;
  #sent: HealthStatus | undefined;
  #writing = false;

  constructor(surface: ServerWritableStream<Buffer, Buffer>, call: Call, status: () => HealthStatus) {
    this.#surface = surface;
    this.#call = call;
    this.#status = status;
  }

  refresh(): void {
    const status = this.#status();
    if (this.#writing || status === this.#sent || this.#surface.cancelled) return;
    this.#sent = status;
    this.#writing = true;
    this.#surface.write(this.#call.encode({ status }), () => {
      this.#writing = false;
      this.refresh();
    });
  }

  end(status: ReturnType<typeof statusOf>): void {
    if (!this.#surface.cancelled) this.#surface.emit('error', status);
  }
}
