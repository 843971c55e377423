export { executedSpec, warmMember } from './executed-spec.js';
export { type InstanceQueueParts, Sequencer } from './sequencer.js';
