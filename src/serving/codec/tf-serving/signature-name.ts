import { isUtf8 } from 'node:buffer';
import { ServingError, type SignatureMethod } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { JsonScanner } from '../v2-rest/json-scanner.js';

/** The signature that requests mean where they name none, and that every model has. */
export const SIGNATURE = 'serving_default';

/** Throws where a request names another signature than the one that its inputs are read by. */
export function checkSignature(name: string, expected: string, method: SignatureMethod): void {
  if (name !== '' && name !== expected) throw unknownSignature(name, method);
}

/** In TensorFlow Serving's words and codes, which differ by method (`predict_util.cc`, `classifier.cc`). */
export function unknownSignature(name: string, method: SignatureMethod): ServingError {
  return method === 'predict'
    ? new ServingError('FAILED_PRECONDITION', `Serving signature key ${shown(name)} not found.`)
    : new ServingError('MALFORMED_REQUEST', `No signature was found with the name: ${shown(name)}`);
}

/** The signature that a JSON body names; empty where it names none, or is no object. Throws MALFORMED_REQUEST. */
export function signatureIn(body: Uint8Array): string {
  const scan = new JsonScanner(body);
  if (scan.peek() !== OPEN_OBJECT || !isUtf8(body)) return '';
  let name = '';
  scan.openObject('the request');
  for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
    if (key === 'signature_name') name = scan.string('signature_name');
    else scan.skip();
  }
  return name;
}

const OPEN_OBJECT = 0x7b;
