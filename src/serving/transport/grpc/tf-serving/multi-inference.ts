import { type InferenceResponse, type ModelSpec, ServingError } from '../../../../core/index.js';
import {
  type Call,
  type CallContext,
  decodeMultiInference,
  type ReplyRoom,
  requestOfParts,
  SIGNATURE,
  type TaskMethod,
} from '../../../codec/index.js';
import { chained, mapped } from '../../ports.js';
import type { GrpcState } from '../grpc-options.js';
import type { UnaryForm } from '../unary-infer.js';
import { specMessage, versionOf } from './model-calls.js';
import { classificationResult, framedMessage, regressionResult } from './prediction-forms.js';

/** `MultiInference`: several tasks over one input, answered by one run of the model. */
export function multiInferenceMethod(call: Call, state: GrpcState): () => UnaryForm {
  return () => new MultiInferenceForm(call, state);
}

class MultiInferenceForm implements UnaryForm {
  readonly name: string;
  readonly #call: Call;
  readonly #state: GrpcState;
  #spec: ModelSpec | undefined;
  #methods: readonly TaskMethod[] = [];

  constructor(call: Call, state: GrpcState) {
    this.name = call.name;
    this.#call = call;
    this.#state = state;
  }

  decode(bytes: Uint8Array, context: CallContext) {
    const { specs, maxInputBytes } = this.#state;
    const { tasks, inputs } = decodeMultiInference(bytes, maxInputBytes);
    const [{ named }] = tasks;
    this.#methods = tasks.map(({ method }) => method);
    if (new Set(this.#methods).size < tasks.length)
      throw new ServingError('MALFORMED_REQUEST', `Duplicate evaluation of signature: ${SIGNATURE}`);
    return chained(versionOf(this.#state, named), (version) =>
      mapped(specs.specOf(named.model, version), (spec) => {
        this.#spec = spec;
        const parts = { inputs: inputs(spec.inputs, spec.maxBatchSize > 0) };
        return requestOfParts({ ...context, model: named.model, version }, parts);
      }),
    );
  }

  encode(response: InferenceResponse, headBytes: number, room: ReplyRoom): Buffer {
    const { model, version } = response.version;
    const model_spec = specMessage(model, version);
    const results = this.#methods.map((method) =>
      method === 'classify'
        ? { model_spec, classification_result: classificationResult(response, this.#spec as ModelSpec) }
        : { model_spec, regression_result: regressionResult(response) },
    );
    return framedMessage(this.#call, { results }, headBytes, room);
  }
}
