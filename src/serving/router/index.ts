export { type RouteDecision, type RouteEntry, RoutingTable } from './routing-table.js';
