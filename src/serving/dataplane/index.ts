export { Admission, type Admitted, type PickedOutput, shapesKey } from './admission.js';
export { type Believed, Callers, type CallersOptions } from './callers.js';
export { classify } from './classification.js';
export { Dataplane, type DataplaneOptions, type WhyAbsent } from './dataplane.js';
export { ServedVersion } from './served-version.js';
export { Tenants, type TenantsOptions } from './tenants.js';
