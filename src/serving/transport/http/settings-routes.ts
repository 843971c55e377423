import { GROUPS, type GroupedCall, RIGHTS } from '../../controlplane/index.js';
import { type Awaitable, mapped } from '../ports.js';
import type { ControlCallInput } from './control-exchange.js';
import type { Route } from './routes.js';

type Handle = (input: ControlCallInput) => Awaitable<unknown>;

interface Settings {
  readonly pattern: string;
  readonly schema: string;
  readonly what: string;
  readonly show: { readonly call: GroupedCall; readonly handle: Handle };
  readonly change: { readonly call: GroupedCall; readonly handle: Handle };
}

/** Settings that are read and changed at one path. */
function settings({ pattern, schema, what, show, change }: Settings): readonly Route[] {
  const route = (method: 'GET' | 'POST', { call, handle }: Settings['show'], summary: string): Route => ({
    kind: 'control',
    method,
    pattern,
    tag: 'settings',
    right: RIGHTS[call],
    group: GROUPS[call],
    summary,
    response: schema,
    handle: (input) => mapped(handle(input), (content) => ({ content })),
    ...(method === 'POST' ? { request: `${schema}Request` } : {}),
  });
  return [
    route('GET', show, what),
    route(
      'POST',
      change,
      `Change it, at once; what is not named stays: ${what.slice(0, 1).toLowerCase()}${what.slice(1)}`,
    ),
  ];
}

const traced = (pattern: string, what: string): readonly Route[] =>
  settings({
    pattern,
    schema: 'TraceSettings',
    what,
    show: {
      call: 'traceSettings',
      handle: ({ server, path }) => server.control.traceSettings(path.model === '' ? undefined : path.model),
    },
    change: {
      call: 'setTraceSettings',
      handle: ({ server, path, body, caller }) =>
        server.control.setTraceSettings(path.model === '' ? undefined : path.model, body, caller),
    },
  });

/** Triton's settings at run time. */
export const SETTINGS_ROUTES: readonly Route[] = [
  ...settings({
    pattern: '/v2/logging',
    schema: 'LogSettings',
    what: 'What the log writes',
    show: { call: 'logSettings', handle: ({ server }) => server.control.logSettings() },
    change: {
      call: 'setLogSettings',
      handle: ({ server, body, caller }) => server.control.setLogSettings(body, caller),
    },
  }),
  ...traced('/v2/trace/setting', "Of which requests timelines are written (Triton's traces; null clears a setting)"),
  ...traced('/v2/models/:model/trace/setting', 'The same for one model'),
];
