import {
  DATA_TYPES,
  isDataType,
  type ModelFiles,
  NO_DEADLINE,
  ServingError,
  shownText,
  type Tensor,
} from '../../core/index.js';
import { readNpy } from '../../elements/index.js';
import { decodeInferBody } from '../../serving/codec/index.js';

/** Inputs and what has to come out. */
export interface GoldenCase {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly expected: Expected;
}

/** `label`: index or name of the class that has to come out on top of the first row, or the first text. */
export type Expected =
  | {
      readonly kind: 'outputs';
      readonly outputs: readonly Tensor[];
      readonly tolerance: { readonly absolute?: number | undefined; readonly relative?: number | undefined };
    }
  | { readonly kind: 'label'; readonly label: number | string };

const MOST_CASES = 10_000;
const MOST_FILE_BYTES = 64 * 1024 * 1024;
/** Of the length of the JSON in front of a binary case: a little-endian uint32, as in WebSocket frames. */
const LENGTH_BYTES = 4;

/**
 * Names of the cases in a folder, ascending: files `NAME.json` and `NAME.v2`, folders of `.npy` files. Undefined where there is
 * no such folder. Rejects with MODEL_INVALID for any other file, and for more than 10,000.
 */
export async function goldenNames(files: ModelFiles, folder: string): Promise<readonly string[] | undefined> {
  const entries = await files.list(folder);
  const names: string[] = [];
  for (const { name, folder: isFolder } of entries ?? []) {
    if (name.startsWith('.') || /^readme(\.\w+)?$/i.test(name)) continue;
    if (!isFolder && !/\.(json|v2)$/.test(name)) {
      throw invalid(`${folder}/${name}`, 'a case is a file NAME.json or NAME.v2, or a folder of .npy files');
    }
    names.push(name);
  }
  if (names.length > MOST_CASES) throw invalid(folder, `${names.length} cases, at most ${MOST_CASES} are run`);
  return entries === undefined ? undefined : names;
}

/** Reads one of `goldenNames`. Rejects with MODEL_INVALID that names the file. */
export async function readGoldenCase(files: ModelFiles, folder: string, name: string): Promise<GoldenCase> {
  const path = `${folder}/${name}`;
  try {
    if (/\.(json|v2)$/.test(name))
      return { name, ...requestCase(await files.read(path, MOST_FILE_BYTES), name.endsWith('.v2')) };
    return { name, ...(await npyCase(files, path)) };
  } catch (thrown) {
    if (thrown instanceof ServingError && thrown.reason !== 'MODEL_INVALID') throw invalid(path, thrown.message);
    throw thrown;
  }
}

/** A V2 request, binary tensors behind the JSON where it is binary, with `expected` outputs or a `label`. */
function requestCase(file: Uint8Array, binary: boolean): Omit<GoldenCase, 'name'> {
  if (binary && file.byteLength < LENGTH_BYTES) throw malformed('the file is cut off');
  const jsonBytes = binary ? new DataView(file.buffer, file.byteOffset).getUint32(0, true) : file.byteLength;
  const start = binary ? LENGTH_BYTES : 0;
  if (start + jsonBytes > file.byteLength) throw malformed('the file is cut off');
  const head = objectOf(file.subarray(start, start + jsonBytes));
  const { inputs, expected, label, tolerance } = head;
  const tensors = file.subarray(start + jsonBytes);
  if (!Array.isArray(inputs)) throw malformed('"inputs" is no array');
  const inputBytes = binaryBytes(inputs);
  const read = { inputs: tensorsOf(inputs, tensors.subarray(0, inputBytes)) };
  if (expected === undefined) return { ...read, expected: labelOf(label) };
  if (label !== undefined) throw malformed('one of "expected" and "label" is given');
  const outputs = Array.isArray(expected) ? expected : (expected as { outputs?: unknown }).outputs;
  if (!Array.isArray(outputs)) throw malformed('"expected" is no array of outputs');
  const made = tensorsOf(outputs, tensors.subarray(inputBytes));
  return { ...read, expected: { kind: 'outputs', outputs: made, tolerance: toleranceOf(tolerance) } };
}

function objectOf(bytes: Uint8Array): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ServingError('MALFORMED_REQUEST', `not JSON in UTF-8 (${(cause as Error).message})`, { cause });
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  throw malformed('a JSON object is expected');
}

/** Bytes behind the JSON that tensors of a list say they have. */
function binaryBytes(list: readonly unknown[]): number {
  let bytes = 0;
  for (const tensor of list) {
    bytes += (tensor as { parameters?: { binary_data_size?: number } } | null)?.parameters?.binary_data_size ?? 0;
  }
  return Number.isSafeInteger(bytes) ? bytes : 0;
}

/** Reads tensors as those of a request, so that they are what a request would be. */
function tensorsOf(list: readonly unknown[], bytes: Uint8Array): readonly Tensor[] {
  refuseRounded(list);
  const json = Buffer.from(JSON.stringify({ inputs: list }));
  const binary = bytes.byteLength > 0;
  const { request } = decodeInferBody(binary ? Buffer.concat([json, bytes]) : json, {
    model: 'golden',
    version: undefined,
    deadlineNs: NO_DEADLINE,
    receivedNs: 0,
    nowNs: () => 0,
    headerLength: binary ? json.byteLength : undefined,
    allowNan: false,
  });
  return request.inputs;
}

/** JSON is read as doubles here: a 64-bit integer that is none would be compared as another one. */
function refuseRounded(list: readonly unknown[]): void {
  for (const tensor of list as readonly { name?: unknown; datatype?: unknown; data?: unknown }[]) {
    const { datatype, data } = tensor ?? {};
    if (!isDataType(datatype) || DATA_TYPES[datatype].json !== 'integer64' || !Array.isArray(data)) continue;
    if (!(data.flat(Number.POSITIVE_INFINITY) as unknown[]).every((value) => Number.isSafeInteger(value))) {
      throw malformed(`tensor ${shownText(String(tensor.name))}: integers beyond 2^53 need the binary form (NAME.v2)`);
    }
  }
}

function toleranceOf(given: unknown): {
  readonly absolute?: number | undefined;
  readonly relative?: number | undefined;
} {
  if (given === undefined) return {};
  const { absolute, relative, ...others } = given as Record<string, unknown>;
  const wrong = [absolute, relative].some((value) => value !== undefined && !((value as number) >= 0));
  if (wrong || Object.keys(others).length > 0) throw malformed('"tolerance" has "absolute" and "relative", from 0 on');
  return { absolute: absolute as number | undefined, relative: relative as number | undefined };
}

function labelOf(given: unknown): Expected {
  if (typeof given === 'string' || (Number.isSafeInteger(given) && (given as number) >= 0)) {
    return { kind: 'label', label: given as number | string };
  }
  throw malformed('"expected" outputs or a "label" (index or name of a class) are missing');
}

/** `INPUT.npy` for each input, and `expected/OUTPUT.npy` or `label.txt`. */
async function npyCase(files: ModelFiles, folder: string): Promise<Omit<GoldenCase, 'name'>> {
  const inputs = await npyTensors(files, folder);
  const outputs = await npyTensors(files, `${folder}/expected`);
  if (outputs.length > 0) return { inputs, expected: { kind: 'outputs', outputs, tolerance: {} } };
  const text = new TextDecoder().decode(await files.read(`${folder}/label.txt`, 4096)).trim();
  return { inputs, expected: labelOf(/^\d+$/.test(text) ? Number(text) : text) };
}

async function npyTensors(files: ModelFiles, folder: string): Promise<readonly Tensor[]> {
  const names = ((await files.list(folder)) ?? []).map(({ name }) => name).filter((name) => name.endsWith('.npy'));
  return Promise.all(
    names.map(async (name) => {
      const file = await files.read(`${folder}/${name}`, MOST_FILE_BYTES);
      return readNpy(Buffer.from(file.buffer, file.byteOffset, file.byteLength), name.slice(0, -'.npy'.length));
    }),
  );
}

function invalid(path: string, why: string): ServingError {
  return new ServingError('MODEL_INVALID', `golden set, ${path}: ${why}`);
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
