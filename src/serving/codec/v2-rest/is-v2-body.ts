import { JsonScanner } from './json-scanner.js';

const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;

/**
 * Whether a body is of V2, told from those of other protocols on one route: a JSON object whose `inputs` are a list of objects, and no
 * bytes in base64 (`{"b64": ...}`). Broken JSON is none.
 */
export function isV2Body(body: Uint8Array): boolean {
  const scan = new JsonScanner(body);
  try {
    if (scan.peek() !== OPEN_OBJECT) return false;
    scan.openObject('a request');
    for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
      if (key === 'inputs') return isListOfObjects(scan);
      scan.skip();
    }
  } catch {
    // Whoever reads it says what is wrong.
  }
  return false;
}

function isListOfObjects(scan: JsonScanner): boolean {
  if (scan.peek() !== OPEN_ARRAY) return false;
  scan.openArray('inputs');
  if (scan.peek() !== OPEN_OBJECT) return false;
  scan.openObject('an input');
  const key = scan.key(true);
  return key !== undefined && key !== 'b64';
}
