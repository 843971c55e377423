export { addBench } from './bench-commands.js';
