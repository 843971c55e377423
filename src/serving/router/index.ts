export type { Filtered, RouteDecision, RouteEntry, ShadowCopy } from './route-decision.js';
export { routeNames } from './route-names.js';
export { RoutingTable } from './routing-table.js';
