import { ServingError } from '../../core/index.js';
import type { FileWindow } from './file-window.js';

/** Where a tensor's data lie outside the model file (`TensorProto.external_data`). Bytes; `lengthBytes` undefined = to the end. */
export interface ExternalReference {
  readonly location: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number | undefined;
}

type Message = 'Model' | 'Training' | 'Graph' | 'Function' | 'Node' | 'Attribute' | 'SparseTensor' | 'Tensor' | 'Entry';

/** Fields through which a TensorProto can be reached: numbers of `onnx.proto` (ONNX IR 3 to 13). */
const CHILDREN: { readonly [message in Message]: Readonly<Record<number, Message>> } = {
  Model: { 7: 'Graph', 20: 'Training', 25: 'Function' },
  Training: { 1: 'Graph', 2: 'Graph' },
  Graph: { 1: 'Node', 5: 'Tensor', 15: 'SparseTensor' },
  Function: { 7: 'Node', 11: 'Attribute' },
  Node: { 5: 'Attribute' },
  Attribute: { 5: 'Tensor', 6: 'Graph', 10: 'Tensor', 11: 'Graph', 22: 'SparseTensor', 23: 'SparseTensor' },
  SparseTensor: { 1: 'Tensor', 2: 'Tensor' },
  Tensor: { 13: 'Entry' },
  Entry: {},
};

interface Frame {
  readonly message: Message;
  readonly end: number;
  /** Tensor: its `external_data` so far. Entry: its two fields. */
  readonly entries: Map<string, string>;
  key: string;
  value: string;
}

const MOST_DEPTH = 200;
const MOST_TEXT_BYTES = 4096;
/** Longest start of a field: a tag and a length. */
const FIELD_START_BYTES = 20;

/**
 * Walks a serialised ONNX model and gives every reference to external data, wherever a tensor can stand: initializers,
 * node attributes, subgraphs, functions, training graphs, sparse tensors. Large fields are passed over by their length,
 * so memory is fixed and a model with gigabytes of raw data costs its structure only. A reference counts whatever
 * `data_location` says: protobuf merges repeated messages, so a reader that trusted one occurrence could be deceived.
 * Throws MODEL_INVALID where the bytes are no ONNX protobuf.
 */
export async function* externalReferences(file: FileWindow, shown: string): AsyncGenerator<ExternalReference> {
  const stack: Frame[] = [frame('Model', file.sizeBytes)];
  for (;;) {
    const top = stack[stack.length - 1];
    if (top === undefined) return;
    if (file.at === top.end) {
      stack.pop();
      const parent = stack[stack.length - 1];
      if (top.message === 'Entry') parent?.entries.set(top.key, top.value);
      if (top.message === 'Entry' && top.key === 'location' && parent !== undefined) {
        // Two locations in one tensor: both are checked, whichever the runtime would take.
        yield { location: top.value, offsetBytes: 0, lengthBytes: 0 };
      }
      if (top.message === 'Tensor' && top.entries.has('location')) yield referenceOf(top.entries, shown);
      continue;
    }
    if (!file.has(FIELD_START_BYTES)) await file.ensure(FIELD_START_BYTES);
    const tag = file.varint(top.end);
    const field = Math.floor(tag / 8);
    if (tag < 0 || field === 0) throw malformed(shown, file.at);
    const wire = tag % 8;
    if (wire === 0) {
      if (file.varint(top.end) < 0) throw malformed(shown, file.at);
    } else if (wire === 1 || wire === 5) {
      file.at += wire === 1 ? 8 : 4;
    } else if (wire === 2) {
      const length = file.varint(top.end);
      if (length < 0 || file.at + length > top.end) throw malformed(shown, file.at);
      const child = CHILDREN[top.message][field];
      if (child !== undefined) {
        if (stack.length >= MOST_DEPTH) {
          throw new ServingError('MODEL_INVALID', `${shown}: messages are nested deeper than ${MOST_DEPTH}`);
        }
        stack.push(frame(child, file.at + length));
      } else if (top.message === 'Entry' && (field === 1 || field === 2)) {
        if (length > MOST_TEXT_BYTES) {
          throw new ServingError(
            'MODEL_INVALID',
            `${shown}: an external_data entry has ${length} bytes, at most ${MOST_TEXT_BYTES} are allowed`,
          );
        }
        if (!file.has(length)) await file.ensure(length);
        if (field === 1) top.key = file.text(length);
        else top.value = file.text(length);
      } else file.at += length;
    } else throw malformed(shown, file.at);
    if (file.at > top.end && stack[stack.length - 1] === top) throw malformed(shown, file.at);
  }
}

function frame(message: Message, end: number): Frame {
  return { message, end, entries: new Map(), key: '', value: '' };
}

function malformed(shown: string, at: number): ServingError {
  return new ServingError('MODEL_INVALID', `${shown} is not an ONNX model: malformed protobuf at byte ${at}`);
}

function referenceOf(entries: ReadonlyMap<string, string>, shown: string): ExternalReference {
  const bytes = (key: string) => {
    const text = entries.get(key);
    if (text === undefined || text === '') return undefined;
    const value = Number(text);
    if (/^[0-9]+$/.test(text) && Number.isSafeInteger(value)) return value;
    throw new ServingError(
      'MODEL_INVALID',
      `${shown}: external_data ${key} is '${text.slice(0, 40)}', expected a number of bytes`,
    );
  };
  return {
    location: entries.get('location') as string,
    offsetBytes: bytes('offset') ?? 0,
    lengthBytes: bytes('length'),
  };
}
