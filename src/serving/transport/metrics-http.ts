import type { Log, Reason } from '../../core/index.js';
import { STATUS_OF_REASON } from './http/status-line.js';
import { listen } from './listen.js';
import type { ListeningServer } from './ports.js';
import { loadUws } from './uws/load-uws.js';
import type { HttpResponse } from './uws/uws-types.js';

export interface MetricsHttpOptions {
  /** Default 127.0.0.1. */
  readonly address?: string;
  /** 0 = any free port. */
  readonly port: number;
  /** The exposition in a form that this `Accept` header takes; the figures are taken at the call. */
  readonly scrape: (accept: string) => Promise<{ readonly text: string; readonly contentType: string }>;
  readonly log: Log;
}

/**
 * Serves `GET /metrics`. It stays up during drain, so that a drain can be watched: `closeIntake` is without effect and
 * only `close` ends it. Rejects with `CONFLICT` where the port cannot be bound.
 */
export async function startMetricsHttp(options: MetricsHttpOptions): Promise<ListeningServer> {
  const uws = loadUws();
  const app = uws.App();
  app.get('/metrics', (response, request) => void answerScrape(options, response, request.getHeader('accept')));
  app.any('/metrics', (response) => refuse(response, 'METHOD_NOT_ALLOWED'));
  app.any('/*', (response) => refuse(response, 'ROUTE_NOT_FOUND'));
  const listener = listen(uws, app, 'Metrics', { address: options.address ?? '127.0.0.1', port: options.port });
  let open = true;
  const abort = (): void => {
    if (open) app.close();
    open = false;
  };
  return { port: listener.port, closeIntake: () => {}, close: async () => abort(), abort };
}

/** Never rejects. */
async function answerScrape(
  { scrape, log }: MetricsHttpOptions,
  response: HttpResponse,
  accept: string,
): Promise<void> {
  let open = true;
  response.onAborted(() => {
    open = false;
  });
  let status = '200 OK';
  let exposed: Awaited<ReturnType<MetricsHttpOptions['scrape']>>;
  try {
    exposed = await scrape(accept);
  } catch (thrown) {
    log.error('the scrape failed', { cause: thrown });
    status = STATUS_OF_REASON.INTERNAL;
    const text = 'the figures could not be gathered; the log of the server has the cause\n';
    exposed = { contentType: 'text/plain', text };
  }
  if (!open) return;
  response.cork(() => {
    response.writeStatus(status).writeHeader('Content-Type', exposed.contentType).end(exposed.text);
  });
}

function refuse(response: HttpResponse, reason: Reason): void {
  const status = STATUS_OF_REASON[reason];
  response
    .writeStatus(status)
    .writeHeader('Content-Type', 'text/plain')
    .end(`${status.slice(4)}\n`);
}
