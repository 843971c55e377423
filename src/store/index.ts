export { type StatePlace, stateFile } from './state-folder.js';
export { COST_LIMITS, StateStore, type StateStoreOptions } from './state-store.js';
