import { type RolloutCommand, ServingError } from '../../../core/index.js';
import { type AdminInput, type AdminRoute, adminRoute, wholeNumber } from './admin-route.js';

const MOST_LINES = 10_000;
const COMMANDS = ['pause', 'resume', 'approve', 'promote', 'abort'] as const;

/** Rollouts: what runs, what ran, and what operators do about it. `:id` is a rollout, or a model, whose last one is meant. */
export const ROLLOUT_CALLS: readonly AdminRoute[] = [
  adminRoute({
    call: 'rolloutList',
    method: 'GET',
    pattern: '/v2/admin/rollouts',
    tag: 'rollouts',
    summary: 'Every rollout that is known, the last first',
    response: 'Rollouts',
    handle: ({ admin }) => ({ content: { rollouts: admin.rollouts.list() } }),
  }),
  adminRoute({
    call: 'rolloutStart',
    method: 'POST',
    pattern: '/v2/admin/rollouts',
    tag: 'rollouts',
    summary: 'Start the rollout of a plan',
    query: { name: 'What messages call the plan; default plan' },
    request: 'RolloutPlan',
    yaml: true,
    response: 'Rollout',
    reasons: ['MALFORMED_REQUEST', 'CONFLICT'],
    handle: async ({ admin, caller, body, query }) => ({
      content: await admin.startRollout(body, planName(query('name')), caller),
    }),
  }),
  adminRoute({
    call: 'rolloutStatus',
    method: 'GET',
    pattern: '/v2/admin/rollouts/:id',
    tag: 'rollouts',
    summary: 'Where a rollout stands, and what it waits for',
    response: 'Rollout',
    reasons: ['MODEL_NOT_FOUND'],
    handle: ({ admin, path }) => ({ content: admin.rollouts.status(path('id')) }),
  }),
  adminRoute({
    call: 'rolloutLog',
    method: 'GET',
    pattern: '/v2/admin/rollouts/:id/log',
    tag: 'rollouts',
    summary: 'What was seen, decided and asked for, line by line',
    query: {
      after: 'Only lines with a higher number',
      most: `Lines at most, 1 to ${MOST_LINES}; default 1000`,
    },
    response: 'RolloutLog',
    reasons: ['MODEL_NOT_FOUND', 'MALFORMED_REQUEST'],
    handle: ({ admin, path, query }) => ({ content: logPage(admin, path('id'), query) }),
  }),
  adminRoute({
    call: 'rolloutCommand',
    method: 'POST',
    pattern: '/v2/admin/rollouts/:id/:command',
    tag: 'rollouts',
    summary: `What an operator asks of a rollout: ${COMMANDS.join(', ')}`,
    query: { force: '1: promote also without a pass of every guard' },
    response: 'Rollout',
    reasons: ['MODEL_NOT_FOUND', 'CONFLICT', 'MALFORMED_REQUEST'],
    handle: async ({ admin, caller, path, query }) => ({
      content: await admin.askRollout(path('id'), commandOf(path('command'), query('force') === '1'), caller),
    }),
  }),
  adminRoute({
    call: 'rolloutUnpin',
    method: 'DELETE',
    pattern: '/v2/admin/pins/:model',
    tag: 'rollouts',
    summary: 'The default of a model is its highest version again, as without rollouts',
    response: 'Empty',
    reasons: ['MODEL_NOT_FOUND', 'CONFLICT'],
    handle: async ({ admin, caller, path }) => {
      await admin.unpinRollouts(path('model'), caller);
      return { content: {} };
    },
  }),
];

function logPage(admin: AdminInput['admin'], id: string, query: AdminInput['query']) {
  const after = wholeNumber('after', query('after'), Number.MAX_SAFE_INTEGER) ?? 0;
  const most = wholeNumber('most', query('most'), MOST_LINES) ?? 1000;
  const lines = admin.rollouts.log(id, after, most);
  return {
    lines: lines.map(({ sequence, atMs, body }) => ({ number: sequence, atMs, entry: JSON.parse(body) as unknown })),
    next: lines.length === most ? lines.at(-1)?.sequence : undefined,
  };
}

function commandOf(name: string, force: boolean): RolloutCommand {
  const kind = COMMANDS.find((command) => command === name);
  if (kind === undefined)
    throw new ServingError('MALFORMED_REQUEST', `no command of rollouts: expected one of ${COMMANDS.join(', ')}`);
  return kind === 'promote' ? { kind, force } : { kind };
}

/** Stands in messages and the audit: a line of text, not long. */
function planName(given: string | undefined): string {
  return (given ?? 'plan').replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 128) || 'plan';
}
