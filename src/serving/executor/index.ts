export { DeviceShares, type PlacesOf } from './device-shares.js';
export { Devices, type DevicesOptions } from './devices.js';
export { createExecutor, type ExecutorOptions, type LaneExecutor } from './lane-executor.js';
export { createOffload, type OffloadOptions, type OffloadPool } from './offload/offload-pool.js';
export type { RecoveryPolicy } from './recovery.js';
export { type ResourceBound, ResourcePool } from './resource-pool.js';
export { type SharedExecutor, SpareTime } from './spare-time.js';
export { type ThreadBackendOptions, threadBackend } from './thread/thread-backend.js';
