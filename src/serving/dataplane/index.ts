export { Admission, type Admitted, type PickedOutput } from './admission.js';
export { BatchKeys } from './batch-keys.js';
export { BudgetGate } from './budget-gate.js';
export { type Believed, Callers, type CallersOptions } from './callers.js';
export { classify } from './classification.js';
export { Dataplane, type DataplaneOptions, type WhyAbsent } from './dataplane.js';
export { ServedVersion } from './served-version.js';
export type { ShadowLimits } from './shadows.js';
export { Tenants, type TenantsOptions } from './tenants.js';
