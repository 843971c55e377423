export { type EnsemblePlan, planEnsemble, type SpecOf } from './ensemble-plan.js';
export { EnsembleQueue, type EnsembleQueueOptions } from './ensemble-queue.js';
export type { SendStep } from './ensemble-run.js';
export { KeptBytes } from './kept-tensors.js';
