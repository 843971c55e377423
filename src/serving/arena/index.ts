export { Arena, type ArenaOptions, type ArenaPlace } from './arena.js';
export { LARGEST_BYTES } from './size-class.js';
