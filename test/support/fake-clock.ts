/** The clock of simulations: time that moves only when a test says so. */
export { VirtualClock as FakeClock } from '../../src/simulation/index.js';
