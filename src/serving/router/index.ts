export type { RouteDecision, RouteEntry, ShadowCopy } from './model-router.js';
export { RoutingTable } from './routing-table.js';
