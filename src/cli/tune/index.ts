export { addTune } from './tune-command.js';
