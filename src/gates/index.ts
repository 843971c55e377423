export { type GatePolicy, Gates, type GatesOptions } from './gates.js';
export { type MinisignKey, readPublicKey, writePublicKey } from './signature/minisign.js';
export { MANIFEST, SIGNATURE } from './signature/version-manifest.js';
export { type SignatureState, signVersion, verifyVersion } from './signature/version-signature.js';
