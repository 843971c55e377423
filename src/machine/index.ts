export { Alarms } from './alarms.js';
export { coreQuota, poolThreads, usableCores } from './core-limit.js';
export { type HostUsage, hostUsage } from './host-usage.js';
export { monotonicOriginNs } from './monotonic-origin.js';
export { PackageEnergy } from './rapl.js';
