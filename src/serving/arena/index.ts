export { Arena, type ArenaOptions, type ArenaPlace } from './arena.js';
