import type { Caller } from '../../controlplane/index.js';
import type { Awaitable } from '../ports.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import { jsonObject, textOf } from './body-text.js';
import { callerOf } from './caller.js';
import type { HttpState } from './http-options.js';
import { decodeOnce, isVersioned, type ModelPath, modelPath } from './model-path.js';
import { startWholeCall, type WholeAnswer } from './whole-call.js';

/** What the handler of a control route is given. */
export interface ControlCallInput {
  readonly server: HttpState;
  /** Throws `MALFORMED_REQUEST`; only for routes whose pattern names a model. */
  readonly path: ModelPath;
  /** Of a pattern with `:region`; else empty. */
  readonly region: string;
  readonly caller: Caller;
  /** A parameter of the query; empty where it is not there. */
  readonly query: (name: string) => string;
  /** The body's JSON object; empty where there was no body, or the route takes text. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The body of a route that takes text; else empty. */
  readonly text: string;
}

export interface ControlRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly pattern: string;
  /** See `WholeCall`. */
  readonly duringDrain?: boolean;
  /** Parameters of its query, with what they mean. */
  readonly query?: Readonly<Record<string, string>>;
  /** Its body is no JSON object: the handler reads `text`, of at most so many bytes. */
  readonly maxTextBytes?: number;
  readonly handle: (input: ControlCallInput) => Awaitable<WholeAnswer>;
}

/** Serves one call that is not an inference. */
export function startControl(
  route: ControlRoute,
  server: HttpState,
  response: HttpResponse,
  request: HttpRequest,
  headOnly: boolean,
): void {
  const { method, pattern, maxTextBytes, handle } = route;
  startWholeCall<ControlCallInput>(
    {
      headOnly,
      maxBodyBytes:
        method !== 'POST' ? undefined : Math.min(server.maxInputBytes, maxTextBytes ?? server.maxInputBytes),
      duringDrain: route.duringDrain === true,
      compressed: 'only inference requests may be compressed',
      headers: undefined,
      open: ({ authorization, relayed }) => {
        const path = pattern.includes(':model') ? pathOf(pattern, request) : NO_PATH;
        const region = pattern.includes(':region')
          ? decodeOnce('name of the region', request.getParameter(0) ?? '')
          : '';
        const caller = callerOf(response.getRemoteAddress(), authorization, relayed);
        const parameters = new URLSearchParams(route.query === undefined ? '' : request.getQuery());
        const query = (name: string): string => parameters.get(name) ?? '';
        return (body) => {
          const text = textOf(body);
          const takesText = maxTextBytes !== undefined;
          const fields = takesText ? NO_FIELDS : jsonObject(text);
          return { server, path, region, caller, query, body: fields, text: takesText ? text : '' };
        };
      },
      handle,
    },
    server,
    response,
    request,
  );
}

function pathOf(pattern: string, request: HttpRequest): ModelPath {
  const path = modelPath(request, isVersioned(pattern));
  return pattern.includes('/:label') ? { ...path, label: decodeOnce('label', request.getParameter(1) ?? '') } : path;
}

const NO_PATH: ModelPath = Object.freeze({ model: '', version: undefined });
const NO_FIELDS: Readonly<Record<string, unknown>> = Object.freeze({});
