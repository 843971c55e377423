import {
  type AttributeValue,
  bitsToFloat,
  DATA_TYPES,
  endOfBytesElement,
  halfToNumber,
  type InferenceRequest,
  type RequestAttribute,
  type Tensor,
  type TensorSpec,
  typedView,
} from '../../core/index.js';

/** What routes know of a request. `inputs` of the model name what a body without names (the raw binary form) holds. */
export interface AttributeSource {
  readonly request: InferenceRequest;
  readonly tenant: (request: InferenceRequest) => string;
  readonly inputs: readonly TensorSpec[];
}

/** Reads one attribute; undefined where the request has it not. Never throws, whatever the request says. */
export type ReadAttribute = (from: AttributeSource) => AttributeValue | bigint | undefined;

/** JSON of an input is looked at up to this size: it is parsed on the way of a request. */
const MOST_JSON_BYTES = 1024 * 1024;

export function attributeReader(attribute: RequestAttribute): ReadAttribute {
  switch (attribute.from) {
    case 'header': {
      const name = attribute.name.toLowerCase();
      return ({ request }) => present(request.caller?.headers[name]);
    }
    case 'cookie':
      return ({ request }) => cookieOf(request.caller?.headers.cookie, attribute.name);
    case 'parameter':
      if (attribute.name === 'sequence_id') return ({ request }) => request.sequence?.id;
      return ({ request: { parameters } }) =>
        Object.hasOwn(parameters, attribute.name) ? parameters[attribute.name] : undefined;
    case 'json':
      return jsonReader(attribute.input, attribute.path);
    case 'input':
      return (from) => {
        const tensor = inputOf(from, attribute.name);
        return tensor && elementOf(tensor, attribute.index);
      };
    case 'client':
      return ({ request }) => present(request.caller?.client);
    case 'tenant':
      return ({ request, tenant }) => present(tenant(request));
    case 'request-id':
      return ({ request }) => present(request.id);
  }
}

function present(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

/** The first cookie of that name, its value as it was sent (RFC 6265, quotes taken off). */
function cookieOf(header: string | undefined, name: string): string | undefined {
  for (let at = 0; header !== undefined && at < header.length; ) {
    const semicolon = header.indexOf(';', at);
    const end = semicolon < 0 ? header.length : semicolon;
    const equals = header.indexOf('=', at);
    if (equals >= 0 && equals < end && header.slice(at, equals).trim() === name)
      return header
        .slice(equals + 1, end)
        .trim()
        .replace(/^"(.*)"$/, '$1');
    at = end + 1;
  }
  return undefined;
}

function inputOf({ request, inputs }: AttributeSource, name: string): Tensor | undefined {
  const { rawInput } = request;
  if (rawInput === undefined) return request.inputs.find((tensor) => tensor.name === name);
  const [spec] = inputs;
  if (spec === undefined || spec.name !== name) return undefined;
  if (spec.dataType !== 'BYTES') return { name, dataType: spec.dataType, shape: [], data: rawInput };
  return { name, dataType: 'BYTES', shape: [1], data: withLength(rawInput) };
}

/** The one element of a raw body in the form that elements have elsewhere. */
function withLength(element: Uint8Array): Uint8Array {
  const serialised = new Uint8Array(4 + element.byteLength);
  new DataView(serialised.buffer).setUint32(0, element.byteLength, true);
  serialised.set(element, 4);
  return serialised;
}

function elementOf({ dataType, data }: Tensor, index: number): AttributeValue | bigint | undefined {
  const { elementBytes } = DATA_TYPES[dataType];
  if (elementBytes === 0) {
    const bytes = bytesElement(data, index);
    return bytes && textOf(bytes);
  }
  const at = index * elementBytes;
  if (at + elementBytes > data.byteLength) return undefined;
  const element = data.subarray(at, at + elementBytes);
  if (dataType === 'BOOL') return element[0] !== 0;
  const value = typedView(dataType, element)[0];
  if (dataType === 'FP16') return halfToNumber(value as number);
  return dataType === 'BF16' ? bitsToFloat((value as number) << 16) : value;
}

function bytesElement(data: Uint8Array, index: number): Uint8Array | undefined {
  let at = 0;
  for (let skipped = 0; skipped < index; skipped++) {
    at = endOfBytesElement(data, at);
    if (at < 0) return undefined;
  }
  const end = endOfBytesElement(data, at);
  return end < 0 ? undefined : data.subarray(at + 4, end);
}

const decoder = new TextDecoder();

/** A copy first: decoders refuse shared memory. */
function textOf(bytes: Uint8Array): string {
  return decoder.decode(new Uint8Array(bytes));
}

/** Several rules may look at one text: it is parsed once for a request. */
let parsedOf: InferenceRequest | undefined;
let parsedInput = '';
let parsedValue: unknown;

/** Lets go of the request that was looked at last. */
export function forgetParsed(): void {
  parsedOf = undefined;
  parsedValue = undefined;
}

function jsonReader(input: string, path: readonly (string | number)[]): ReadAttribute {
  return (from) => {
    if (parsedOf !== from.request || parsedInput !== input) {
      parsedOf = from.request;
      parsedInput = input;
      parsedValue = jsonOf(inputOf(from, input));
    }
    let value = parsedValue;
    for (const key of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as Record<string | number, unknown>)[key];
    }
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
  };
}

function jsonOf(tensor: Tensor | undefined): unknown {
  if (tensor === undefined || tensor.dataType !== 'BYTES') return undefined;
  const bytes = bytesElement(tensor.data, 0);
  if (bytes === undefined || bytes.byteLength > MOST_JSON_BYTES) return undefined;
  try {
    return JSON.parse(textOf(bytes));
  } catch {
    return undefined;
  }
}
