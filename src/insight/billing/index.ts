export { Budgets } from './budgets.js';
export type { CostSource } from './cost-source.js';
export { EnergyMeter } from './energy-meter.js';
export { costReport } from './report.js';
export { Rollups } from './rollups.js';
