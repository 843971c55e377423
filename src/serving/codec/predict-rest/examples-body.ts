import { isUtf8 } from 'node:buffer';
import { elementCount, ServingError, type Tensor } from '../../../core/index.js';
import { type ShapedSpec, shapeOfExamples } from '../tf-serving/row-shape.js';
import { checkSignature, SIGNATURE } from '../tf-serving/signature-name.js';
import { JsonScanner } from '../v2-rest/json-scanner.js';
import { readNamedRows } from './named-rows.js';

/**
 * Decodes a body of `:classify` or `:regress`, `{"context"?, "examples": [...]}`: the features of each example are a row of the inputs
 * of their names, those of the context of every row. Features that the model has no input for are passed over, as TensorFlow's parsers do. Lists
 * are flat: they take the shape of the input. Throws as `decodePredictBody`.
 */
export function decodeExamplesBody(
  body: Uint8Array,
  specs: readonly ShapedSpec[],
  batched: boolean,
  signature = SIGNATURE,
): Tensor[] {
  if (!isUtf8(body)) throw new ServingError('MALFORMED_REQUEST', 'the JSON text is not valid UTF-8');
  const scan = new JsonScanner(body);
  let common: ReadonlyMap<string, number> | undefined;
  let examples: number | undefined;
  scan.openObject('the request');
  for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
    if (key === 'signature_name') {
      checkSignature(scan.string('signature_name'), signature, 'classify');
      continue;
    }
    if ((key === 'context' && common !== undefined) || (key === 'examples' && examples !== undefined))
      throw new ServingError('MALFORMED_REQUEST', `the request has "${key}" twice`);
    scan.peek();
    if (key === 'context') common = readPlaces(scan);
    else {
      // Read when all keys are known: the context may come behind.
      if (key === 'examples') examples = scan.at;
      scan.skip();
    }
  }
  scan.finish();
  if (examples === undefined) throw new ServingError('MALFORMED_REQUEST', 'the request has no "examples"');
  scan.at = examples;
  scan.openArray('examples');
  if (!scan.element(true)) throw new ServingError('MALFORMED_REQUEST', '"examples" is empty, expected at least one');
  scan.at = examples;
  const how = { key: 'examples', one: 'example', passOver: true, ...(common === undefined ? {} : { common }) };
  return readNamedRows(scan, specs, how).map((tensor) => shapedAs(tensor, specs, batched));
}

function readPlaces(scan: JsonScanner): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  scan.openObject('context');
  for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
    scan.peek();
    places.set(key, scan.at);
    scan.skip();
  }
  return places;
}

/** What does not fit stays as it is: admission says what was expected. */
function shapedAs(tensor: Tensor, specs: readonly ShapedSpec[], batched: boolean): Tensor {
  const spec = specs.find(({ name }) => name === tensor.name) as ShapedSpec;
  const [rows = 0, ...row] = tensor.shape;
  const shape = shapeOfExamples(spec, batched, rows, elementCount(row));
  return shape === undefined ? tensor : { ...tensor, shape };
}
