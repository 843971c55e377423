import type { RollupStore } from '../../core/index.js';

/** Where sums of costs are read. */
export type CostSource = Pick<RollupStore, 'currencies' | 'lines' | 'devices'>;
