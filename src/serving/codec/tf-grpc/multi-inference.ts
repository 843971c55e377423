import { ServingError } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import type { WireReader } from '../v2-grpc/wire-reader.js';
import { type ExamplesMessage, readExamples } from './example-messages.js';
import { type NamedModel, readModelSpec } from './model-spec.js';

/** What a task of a `MultiInferenceRequest` asks for, by the end of its `method_name`. */
export type TaskMethod = 'classify' | 'regress';

/** A `MultiInferenceRequest`, its examples not yet read. */
export interface MultiInferenceMessage extends Pick<ExamplesMessage, 'inputs'> {
  /** All name one model, and the version or label that the first one does. */
  readonly tasks: readonly [InferenceTask, ...InferenceTask[]];
}

export interface InferenceTask {
  readonly named: NamedModel;
  readonly method: TaskMethod;
}

const METHODS: Readonly<Record<string, TaskMethod>> = {
  'tensorflow/serving/classify': 'classify',
  'tensorflow/serving/regress': 'regress',
};
const MOST_TASKS = 64;

/**
 * Reads the envelope of a `MultiInferenceRequest`; `maxBytes` as of `decodeExamplesRequest`. Throws MALFORMED_REQUEST, and UNSUPPORTED for a
 * method that is none of TensorFlow Serving's two.
 */
export function decodeMultiInference(bytes: Uint8Array, maxBytes: number): MultiInferenceMessage {
  const tasks: InferenceTask[] = [];
  const inputs = readExamples(bytes, maxBytes, (reader) => {
    tasks.push(readTask(reader));
    if (tasks.length > MOST_TASKS) throw malformed(`the request has more than ${MOST_TASKS} tasks`);
  });
  const [first, ...others] = tasks;
  if (first === undefined) throw malformed('the request has no tasks');
  for (const { named } of others) {
    if (named.model !== first.named.model)
      throw malformed('All ModelSpecs in a MultiInferenceRequest must access the same model name.');
    if (named.version !== first.named.version || named.label !== first.named.label)
      throw malformed('the tasks name different versions of the model, expected the same');
  }
  return { tasks: [first, ...others], inputs };
}

function readTask(reader: WireReader): InferenceTask {
  const outer = reader.end;
  reader.end = reader.delimited();
  let named: NamedModel | undefined;
  let method = '';
  while (reader.next()) {
    if (reader.field === 1) named = readModelSpec(reader);
    else if (reader.field === 2) method = reader.string();
    else reader.skip();
  }
  reader.end = outer;
  if (named === undefined) throw malformed('a task of the request has no model_spec');
  const known = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
  if (known === undefined) throw new ServingError('UNSUPPORTED', `Unsupported signature method_name: ${shown(method)}`);
  return { named, method: known };
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
