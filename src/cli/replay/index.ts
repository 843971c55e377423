export { addReplay } from './replay-command.js';
