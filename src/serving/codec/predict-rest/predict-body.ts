import { isUtf8 } from 'node:buffer';
import { ServingError, type Tensor } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { type ShapedSpec, withUnitAxes } from '../tf-serving/row-shape.js';
import { checkSignature, SIGNATURE } from '../tf-serving/signature-name.js';
import { JsonScanner } from '../v2-rest/json-scanner.js';
import { INSTANCES, listed, readNamedRows, unknownInput } from './named-rows.js';
import { type InputSpec, readTensorValue } from './tensor-value.js';

const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;

/** A body of `:predict`, in rows (`instances`) or columns (`inputs`); the answer has the same form. */
export interface PredictBody {
  readonly kind: 'rows' | 'columns';
  readonly inputs: readonly Tensor[];
}

/**
 * Decodes a body of KServe V1 or of TensorFlow Serving's REST API for a model with these inputs, by those of `signature`; undefined: it is neither, as it
 * is no JSON object, or has no key of theirs. One value a row is enough for inputs with one element a row, whatever their axes. Unknown keys beside theirs are ignored. Tensors have memory of their own. Throws
 * MALFORMED_REQUEST, FAILED_PRECONDITION for another signature, UNKNOWN_INPUT, MISSING_INPUT, SHAPE_MISMATCH, DATA_TYPE_MISMATCH, each naming the input, what was
 * expected and what came.
 */
export function decodePredictBody(
  body: Uint8Array,
  specs: readonly ShapedSpec[],
  batched: boolean,
  signature = SIGNATURE,
): PredictBody | undefined {
  const scan = new JsonScanner(body);
  if (scan.peek() !== OPEN_OBJECT) return undefined;
  if (!isUtf8(body)) throw new ServingError('MALFORMED_REQUEST', 'the JSON text is not valid UTF-8');
  const seen = new Set<string>();
  let read: PredictBody | undefined;
  scan.openObject('the request');
  for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
    if (key !== 'instances' && key !== 'inputs' && key !== 'signature_name') {
      scan.skip();
      continue;
    }
    if (seen.has(key)) throw new ServingError('MALFORMED_REQUEST', `the request has "${key}" twice`);
    seen.add(key);
    if (key === 'signature_name') checkSignature(scan.string('signature_name'), signature, 'predict');
    else if (read !== undefined) throw malformed('the request has both "instances" and "inputs", expected one of them');
    else if (key === 'instances') read = { kind: 'rows', inputs: readInstances(scan, specs) };
    else read = { kind: 'columns', inputs: readColumns(scan, specs) };
  }
  scan.finish();
  if (read === undefined) {
    if (seen.size > 0) throw malformed('the request has neither "instances" nor "inputs"');
    return undefined;
  }
  const inputs = read.inputs.map((input) => {
    const spec = specs.find(({ name }) => name === input.name);
    return spec === undefined ? input : withUnitAxes(input, spec, batched);
  });
  return { kind: read.kind, inputs };
}

function readInstances(scan: JsonScanner, specs: readonly InputSpec[]): Tensor[] {
  if (scan.peek() !== OPEN_ARRAY) scan.fail('an array (instances)');
  const start = scan.at;
  scan.openArray('instances');
  if (!scan.element(true)) throw malformed('"instances" is empty, expected at least one');
  const named = scan.peek() === OPEN_OBJECT && !isBase64(scan);
  scan.at = start;
  return named ? readNamedRows(scan, specs, INSTANCES) : [readTensorValue(scan, onlyInput(specs, 'instances'))];
}

/** Whether the object that stands next is a binary value, `{"b64": ...}`. The scanner stays. */
function isBase64(scan: JsonScanner): boolean {
  const start = scan.at;
  scan.openObject('a value');
  const key = scan.key(true);
  let alone = false;
  if (key === 'b64') {
    scan.skip();
    alone = scan.peek() === 0x7d;
  }
  scan.at = start;
  return alone;
}

function readColumns(scan: JsonScanner, specs: readonly InputSpec[]): Tensor[] {
  if (scan.peek() !== OPEN_OBJECT || isBase64(scan)) return [readTensorValue(scan, onlyInput(specs, 'inputs'))];
  const inputs: Tensor[] = [];
  scan.openObject('inputs');
  for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
    const spec = specs.find(({ name }) => name === key);
    if (spec === undefined) throw unknownInput(key, specs);
    if (inputs.some(({ name }) => name === key)) throw malformed(`"inputs" has input ${shown(key)} twice`);
    inputs.push(readTensorValue(scan, spec));
  }
  return inputs;
}

/** What a value without a name is for. Throws MALFORMED_REQUEST where several inputs want one. */
function onlyInput(specs: readonly InputSpec[], key: string): InputSpec {
  const wanted = specs.length === 1 ? specs : specs.filter(({ optional }) => !optional);
  if (wanted.length === 1) return wanted[0] as InputSpec;
  throw malformed(`the values of "${key}" have no names, expected an object with the inputs ${listed(specs)}`);
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
