import { ServingError } from '../../../core/index.js';
import type { HttpResponse, TemplatedApp } from '../uws/uws-types.js';
import { Exchange, type ExchangeState } from './exchange.js';
import { statusLine } from './status-line.js';

export interface Refusals {
  readonly unknownMethod: string;
  readonly unknownPath: string;
}

/** Answers OPTIONS of each pattern with its methods, and refuses every other method and path. To be registered last. */
export function registerOtherMethods(
  app: TemplatedApp,
  state: ExchangeState,
  methods: ReadonlyMap<string, readonly string[]>,
  { unknownMethod, unknownPath }: Refusals,
): void {
  for (const [pattern, served] of methods) {
    const headers = ['Allow', [...served, 'OPTIONS'].join(', ')];
    app.options(pattern, (response) =>
      new Exchange(state, response).answer({
        status: statusLine(204),
        contentType: 'application/json',
        body: '',
        headers,
      }),
    );
    app.any(pattern, (response, request) => {
      const error = new ServingError('METHOD_NOT_ALLOWED', unknownMethod);
      refuse(state, response, error, request.getMethod() === 'head', headers);
    });
  }
  app.any('/*', (response, request) =>
    refuse(state, response, new ServingError('ROUTE_NOT_FOUND', unknownPath), request.getMethod() === 'head'),
  );
}

export function refuse(
  state: ExchangeState,
  response: HttpResponse,
  error: ServingError,
  headOnly: boolean,
  headers?: readonly string[],
): void {
  new Exchange(state, response, headOnly).fail(error, false, headers);
}
