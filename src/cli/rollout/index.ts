export { addRollout } from './rollout-commands.js';
