export { type CacheState, ResponseCache, type Shelf } from './response-cache.js';
export { ReusingQueue } from './reusing-queue.js';
