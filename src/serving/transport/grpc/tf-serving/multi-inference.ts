import { type InferenceResponse, type OutputRequest, ServingError } from '../../../../core/index.js';
import {
  type Call,
  type CallContext,
  decodeMultiInference,
  type ReplyRoom,
  requestOfParts,
  type TaskMethod,
} from '../../../codec/index.js';
import { chained, mapped } from '../../ports.js';
import { ownNames, type SignedModel, signedModel } from '../../tf-serving/signed-model.js';
import type { GrpcState } from '../grpc-options.js';
import type { UnaryForm } from '../unary-infer.js';
import { specMessage, versionOf } from './model-calls.js';
import { framedMessage, resultOf } from './prediction-forms.js';

/** `MultiInference`: several tasks over one input, answered by one run of the model. */
export function multiInferenceMethod(call: Call, state: GrpcState): () => UnaryForm {
  return () => new MultiInferenceForm(call, state);
}

interface SignedTask {
  readonly method: TaskMethod;
  readonly model: SignedModel;
}

class MultiInferenceForm implements UnaryForm {
  readonly name: string;
  readonly #call: Call;
  readonly #state: GrpcState;
  #tasks: readonly SignedTask[] = [];

  constructor(call: Call, state: GrpcState) {
    this.name = call.name;
    this.#call = call;
    this.#state = state;
  }

  decode(bytes: Uint8Array, context: CallContext) {
    const { specs, maxInputBytes } = this.#state;
    const { tasks, inputs } = decodeMultiInference(bytes, maxInputBytes);
    const [{ named }] = tasks;
    return chained(versionOf(this.#state, named), (version) =>
      mapped(specs.specOf(named.model, version), (spec) => {
        this.#tasks = tasks.map(({ named: { signature }, method }) => ({
          method,
          model: signedModel(spec, signature, method),
        }));
        const [{ model }] = this.#tasks as [SignedTask];
        checkTasks(this.#tasks);
        const asked = { inputs: inputs(model.spec.inputs, spec.maxBatchSize > 0), outputs: [] };
        const parts = { inputs: ownNames(model, asked).inputs, outputs: outputsOf(this.#tasks) };
        return requestOfParts({ ...context, model: named.model, version }, parts);
      }),
    );
  }

  encode(response: InferenceResponse, headBytes: number, room: ReplyRoom): Buffer {
    const { model: name, version } = response.version;
    const results = this.#tasks.map(({ method, model }) => ({
      model_spec: specMessage(name, version, model.signature),
      [method === 'classify' ? 'classification_result' : 'regression_result']: resultOf(method, model, response),
    }));
    return framedMessage(this.#call, { results }, headBytes, room);
  }
}

/** As TensorFlow Serving: each signature once, all over one input. One that is not declared stands for any method, once each. */
function checkTasks(tasks: readonly SignedTask[]): void {
  const seen = new Set<string>();
  const inputs = inputsText(tasks[0] as SignedTask);
  for (const task of tasks) {
    const { signature, declared } = task.model;
    const once = declared === undefined ? `${signature} ${task.method}` : signature;
    if (seen.has(once)) throw new ServingError('MALFORMED_REQUEST', `Duplicate evaluation of signature: ${signature}`);
    seen.add(once);
    if (inputsText(task) !== inputs)
      throw new ServingError('MALFORMED_REQUEST', 'Input tensor must be the same for all Signatures.');
  }
}

function inputsText({ model: { spec, declared } }: SignedTask): string {
  const names = declared?.inputs ?? Object.fromEntries(spec.inputs.map(({ name }) => [name, name]));
  return JSON.stringify(Object.entries(names).sort());
}

/** What the tasks need together, by the model's names; none: all. */
function outputsOf(tasks: readonly SignedTask[]): readonly OutputRequest[] {
  const names = new Set<string>();
  for (const { model } of tasks) {
    if (model.declared === undefined) return [];
    for (const name of Object.values(model.declared.outputs)) names.add(name);
  }
  return [...names].map((name) => ({ name, classification: 0 }));
}
