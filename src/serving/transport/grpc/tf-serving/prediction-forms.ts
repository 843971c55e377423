import type { InferenceResponse, ModelSpec } from '../../../../core/index.js';
import {
  type Call,
  type CallContext,
  classifiedRows,
  decodeExamplesRequest,
  decodePredictRequest,
  encodePredictResponse,
  floatsOf,
  type ReplyRoom,
  regressedRows,
  requestOfParts,
} from '../../../codec/index.js';
import { chained, mapped } from '../../ports.js';
import type { GrpcState } from '../grpc-options.js';
import type { UnaryForm } from '../unary-infer.js';
import { specMessage, versionOf } from './model-calls.js';

/** `PredictionService.Predict`: one for all calls, as its messages say all there is. */
export function predictMethod(state: GrpcState): () => UnaryForm {
  const form: UnaryForm = {
    name: 'Predict',
    decode(bytes, context) {
      const { named, inputs, outputs } = decodePredictRequest(bytes, state.maxInputBytes);
      return mapped(versionOf(state, named), (version) =>
        requestOfParts({ ...context, model: named.model, version }, { inputs, outputs }),
      );
    },
    encode: encodePredictResponse,
  };
  return () => form;
}

/** `Classify`: labels and scores of each example. */
export function classifyMethod(call: Call, state: GrpcState): () => UnaryForm {
  return () => new ExamplesForm(call, state, classificationResult);
}

/** `Regress`: a value for each example. */
export function regressMethod(call: Call, state: GrpcState): () => UnaryForm {
  return () => new ExamplesForm(call, state, regressionResult);
}

/** A `ClassificationResult`. */
export function classificationResult(response: InferenceResponse, spec: ModelSpec): object {
  const { rows, classes, scores, label } = classifiedRows(response, spec);
  const values = floatsOf(scores);
  const classesOf = (row: number) =>
    Array.from({ length: classes }, (_, place) => ({
      label: label(row, place),
      score: values[row * classes + place],
    }));
  return { classifications: Array.from({ length: rows }, (_, row) => ({ classes: classesOf(row) })) };
}

/** A `RegressionResult`. */
export function regressionResult(response: InferenceResponse): object {
  return { regressions: Array.from(floatsOf(regressedRows(response)), (value) => ({ value })) };
}

/** A call whose examples are read by the inputs of the model that it names. */
class ExamplesForm implements UnaryForm {
  readonly name: string;
  readonly #call: Call;
  readonly #state: GrpcState;
  readonly #resultOf: (response: InferenceResponse, spec: ModelSpec) => object;
  #spec: ModelSpec | undefined;

  constructor(call: Call, state: GrpcState, resultOf: (response: InferenceResponse, spec: ModelSpec) => object) {
    this.name = call.name;
    this.#call = call;
    this.#state = state;
    this.#resultOf = resultOf;
  }

  decode(bytes: Uint8Array, context: CallContext) {
    const { specs, maxInputBytes } = this.#state;
    const { named, inputs } = decodeExamplesRequest(bytes, maxInputBytes);
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
    const result = this.#resultOf(response, this.#spec as ModelSpec);
    return framedMessage(this.#call, { result, model_spec: specMessage(model, version) }, headBytes, room);
  }
}

/** An answer of a call, behind the free head of its frame. */
export function framedMessage(call: Call, answer: object, headBytes: number, room: ReplyRoom): Buffer {
  const message = call.encode(answer);
  const framed = room.place(headBytes + message.byteLength);
  framed.set(message, headBytes);
  return framed;
}
