export { addSimulate } from './simulate-commands.js';
