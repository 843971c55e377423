export { type ObservedUnit, type Power, ratePower } from './power/rate-power.js';
