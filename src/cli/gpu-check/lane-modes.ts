import type { BindingPolicy } from '../../core/index.js';
import { TIMED_ROWS } from './speed.js';

/** A way for lanes to keep their tensors, as a model's config may ask for it. */
export interface LaneMode {
  readonly name: string;
  readonly binding: BindingPolicy;
}

/** Those that are timed beside the default. */
export const LANE_MODES: readonly LaneMode[] = [
  { name: 'io_binding, pages not locked', binding: bound(false, undefined) },
  { name: 'io_binding', binding: bound(true, undefined) },
  { name: 'cuda graphs', binding: bound(true, TIMED_ROWS) },
];

function bound(pinnedMemory: boolean, cudaGraphBatchSizes: readonly number[] | undefined): BindingPolicy {
  return { ioBinding: true, pinnedMemory, cudaGraphBatchSizes };
}
