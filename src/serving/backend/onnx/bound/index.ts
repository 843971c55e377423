export { bindingOptions } from './binding-options.js';
export { openBoundLane } from './open-bound-lane.js';
