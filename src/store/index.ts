export { type StatePlace, stateFile } from './state-folder.js';
export { StateStore, type StateStoreOptions } from './state-store.js';
