export { type GatePolicy, Gates, type GatesOptions } from './gates.js';
