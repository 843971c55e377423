import { ServingError } from '../../../core/index.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import { Exchange, type ExchangeState } from './exchange.js';
import type { RouteApp } from './guarded-app.js';
import { statusLine } from './status-line.js';

export interface Refusals {
  readonly unknownMethod: string;
  readonly unknownPath: string;
}

/** Answers OPTIONS of each pattern with its methods, and refuses every other method and path. To be registered last. */
export function registerOtherMethods(
  app: Pick<RouteApp, 'options' | 'any'>,
  state: ExchangeState,
  methods: ReadonlyMap<string, readonly string[]>,
  { unknownMethod, unknownPath }: Refusals,
): void {
  for (const [pattern, served] of methods) {
    const headers = ['Allow', [...served, 'OPTIONS'].join(', ')];
    app.options(pattern, (response, request) => {
      const exchange = new Exchange(state, response);
      exchange.watchCall(request);
      const asked = state.cors?.preflight(request, served) ?? [];
      exchange.answer({
        status: statusLine(204),
        contentType: 'application/json',
        body: '',
        headers: [...headers, ...asked],
      });
    });
    app.any(pattern, (response, request) => {
      const error = new ServingError('METHOD_NOT_ALLOWED', unknownMethod);
      refuse(state, response, request, error, headers);
    });
  }
  app.any('/*', (response, request) =>
    refuse(state, response, request, new ServingError('ROUTE_NOT_FOUND', unknownPath)),
  );
}

export function refuse(
  state: ExchangeState,
  response: HttpResponse,
  request: HttpRequest,
  error: ServingError,
  headers?: readonly string[],
): void {
  const exchange = new Exchange(state, response, request.getMethod() === 'head');
  exchange.watchCall(request);
  exchange.fail(error, false, headers);
}
