export { addSlo } from './slo-commands.js';
