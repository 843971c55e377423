import {
  COST_DIMENSIONS,
  COST_PERIODS,
  type CostDimension,
  type CostPeriod,
  instantOf,
  ServingError,
} from '../../../core/index.js';
import { type AdminInput, type AdminRoute, adminRoute } from './admin-route.js';

const DEFAULT_GROUP: readonly CostDimension[] = ['model'];

/** What was spent. */
export const COST_CALLS: readonly AdminRoute[] = [
  adminRoute({
    call: 'costShow',
    method: 'GET',
    pattern: '/v2/cost',
    tag: 'cost',
    summary: 'What was spent on what, of whom, with what the running gateway has counted up to now',
    query: {
      from: 'First instant (ISO 8601, UTC where it has no zone), made a full hour; default: 24 hours ago',
      to: 'Last instant, made a full hour; default: now',
      by: `${COST_PERIODS.join(', ')}; default total. Days are those of UTC`,
      group: `Of ${COST_DIMENSIONS.join(', ')}, with commas between; default ${DEFAULT_GROUP.join(',')}. Empty: none`,
      currency: 'Default: the one that is used now',
    },
    response: 'CostReport',
    reasons: ['MALFORMED_REQUEST', 'OVERLOADED'],
    handle: async ({ admin, query }) => ({
      content: await admin.cost({
        fromMs: instant('from', query),
        toMs: instant('to', query),
        by: oneOf('by', query('by') ?? 'total', COST_PERIODS) satisfies CostPeriod,
        group: (query('group') ?? DEFAULT_GROUP.join(','))
          .split(',')
          .filter((name) => name !== '')
          .map((name) => oneOf('group', name, COST_DIMENSIONS)),
        currency: query('currency'),
      }),
    }),
  }),
];

function instant(name: string, query: AdminInput['query']): number | undefined {
  const text = query(name);
  if (text === undefined) return undefined;
  const ms = instantOf(text);
  if (ms !== undefined) return ms;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `"${name}" is '${text.slice(0, 40)}', expected a date or an instant, e.g. 2026-11-21 or 2026-11-21T14:00Z`,
  );
}

function oneOf<Name extends string>(parameter: string, text: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `"${parameter}" has '${text.slice(0, 40)}', expected one of ${names.join(', ')}`,
  );
}
