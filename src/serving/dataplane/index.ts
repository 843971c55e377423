export { Admission, type Admitted, type PickedOutput } from './admission.js';
export { classify } from './classification.js';
export { Dataplane, type DataplaneOptions } from './dataplane.js';
export { ServedVersion } from './served-version.js';
