import type { RouteMark } from '../../core/index.js';

/** Route of a request whose client named the version. */
export const NAMED = 'named';
/** Route of a request that nothing but the default decided about. */
export const DEFAULT = 'default';
/** Route of a request that is tried in the second place. */
export const FALLBACK = 'fallback';

/** What the answers of one version by one route say, its texts made once. */
export function routeMark(version: number, route: string, table: number, routed: boolean, place = 0): RouteMark {
  const metadata = {
    'x-penstock-version': String(version),
    'x-penstock-route': route,
    'x-penstock-table': String(table),
  };
  return Object.freeze({
    version,
    route,
    table,
    place,
    routed,
    headers: Object.freeze(Object.entries(metadata).flat()),
    metadata: Object.freeze(metadata),
    parameters: Object.freeze({ penstock_version: version, penstock_route: route, penstock_table: table }),
  });
}
