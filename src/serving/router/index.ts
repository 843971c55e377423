export type { Filtered, RouteDecision, RouteEntry, ShadowCopy } from './route-decision.js';
export { RoutingTable } from './routing-table.js';
