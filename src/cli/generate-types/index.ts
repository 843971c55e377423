export { addGenerateTypes } from './generate-types-command.js';
