export { addCost } from './cost-command.js';
