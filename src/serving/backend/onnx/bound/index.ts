export { bindingOptions } from './binding-options.js';
export { openBoundLane } from './bound-lane.js';
