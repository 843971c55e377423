export { Gateway, type GatewaySurroundings } from './gateway.js';
