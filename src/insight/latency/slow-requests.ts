import type { Clock, ClockTimer, Log, SlowRequest, SlowRequests } from '../../core/index.js';

const WINDOW_NS = 10e9;
const WINDOWS_A_MINUTE = 6;

export interface SlowRequestLogOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Of this thread. */
  readonly maxLinesPerMinute: number;
}

/** Writes slow requests to the log, so many in ten seconds; says how many it left out. */
export class SlowRequestLog implements SlowRequests {
  readonly #options: SlowRequestLogOptions;
  readonly #mostLines: number;
  #lines = 0;
  #omitted = 0;
  #window: ClockTimer | undefined;

  constructor(options: SlowRequestLogOptions) {
    this.#options = options;
    this.#mostLines = Math.max(1, Math.floor(options.maxLinesPerMinute / WINDOWS_A_MINUTE));
  }

  note(slow: SlowRequest): boolean {
    const { clock, log } = this.#options;
    this.#window ??= clock.setTimer(clock.nowNs() + WINDOW_NS, () => this.#end());
    if (this.#lines === this.#mostLines) {
      this.#omitted++;
      return false;
    }
    this.#lines++;
    log.warn('slow request', fieldsOf(slow));
    return true;
  }

  #end(): void {
    this.#window = undefined;
    this.#lines = 0;
    if (this.#omitted === 0) return;
    this.#options.log.warn('slow requests left out of the log', { requests: this.#omitted });
    this.#omitted = 0;
  }
}

function fieldsOf({ request, id, mark, tenant, rows, totalNs, reason, execution }: SlowRequest) {
  const decodeNs = request.decodedNs - request.receivedNs;
  return {
    model: id.model,
    version: id.version,
    ...(mark.routed ? { route: mark.route } : {}),
    ...(tenant.name === '' ? {} : { tenant: tenant.name }),
    ...(request.id === '' ? {} : { id: request.id.slice(0, 256) }),
    ...(request.trace === undefined ? {} : { traceId: request.trace.traceId }),
    ...(request.priority === 0 ? {} : { priority: request.priority }),
    ...(reason === undefined ? {} : { reason }),
    totalMs: ms(totalNs),
    decodeMs: ms(decodeNs),
    ...(execution === undefined ? {} : executionFields(execution)),
    rows,
  };
}

function executionFields({
  latency,
  batchRows,
  batchMates,
  paddingShare,
  device,
}: NonNullable<SlowRequest['execution']>) {
  return {
    queueMs: ms(latency.queueNs),
    gatherMs: ms(latency.gatherNs),
    dispatchMs: ms(latency.dispatchNs),
    computeMs: ms(latency.computeNs),
    scatterMs: ms(latency.scatterNs),
    encodeMs: ms(latency.encodeNs),
    batchRows,
    batchMates,
    paddingShare: Math.round(paddingShare * 1e4) / 1e4,
    device,
  };
}

/** To a microsecond. */
function ms(ns: number): number {
  return Math.round(ns / 1e3) / 1e3;
}
