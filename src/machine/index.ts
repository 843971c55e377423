export { coreQuota, poolThreads, usableCores } from './core-limit.js';
