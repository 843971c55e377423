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
  type TaskMethod,
} from '../../../codec/index.js';
import { chained, mapped } from '../../ports.js';
import { ownNames, type SignedModel, signedModel, signedResponse } from '../../tf-serving/signed-model.js';
import type { GrpcState } from '../grpc-options.js';
import type { UnaryForm } from '../unary-infer.js';
import { specMessage, versionOf } from './model-calls.js';

/** `PredictionService.Predict`. */
export function predictMethod(state: GrpcState): () => UnaryForm {
  return () => new PredictForm(state);
}

class PredictForm implements UnaryForm {
  readonly name = 'Predict';
  readonly #state: GrpcState;
  #model: SignedModel | undefined;

  constructor(state: GrpcState) {
    this.#state = state;
  }

  decode(bytes: Uint8Array, context: CallContext) {
    const { named, inputs, outputs } = decodePredictRequest(bytes, this.#state.maxInputBytes);
    return chained(versionOf(this.#state, named), (version) =>
      mapped(this.#state.specs.specOf(named.model, version), (spec) => {
        this.#model = signedModel(spec, named.signature, 'predict');
        return requestOfParts({ ...context, model: named.model, version }, ownNames(this.#model, { inputs, outputs }));
      }),
    );
  }

  encode(response: InferenceResponse, headBytes: number, room: ReplyRoom): Buffer {
    const model = this.#model as SignedModel;
    return encodePredictResponse(signedResponse(model, response), headBytes, room, model.signature);
  }
}

/** `Classify`: labels and scores of each example. */
export function classifyMethod(call: Call, state: GrpcState): () => UnaryForm {
  return () => new ExamplesForm(call, state, 'classify');
}

/** `Regress`: a value for each example. */
export function regressMethod(call: Call, state: GrpcState): () => UnaryForm {
  return () => new ExamplesForm(call, state, 'regress');
}

/** A `ClassificationResult` or `RegressionResult` of a response, by a signature of its model. */
export function resultOf(method: TaskMethod, model: SignedModel, response: InferenceResponse): object {
  const signed = signedResponse(model, response);
  return method === 'classify' ? classificationResult(signed, model.spec) : regressionResult(signed);
}

function classificationResult(response: InferenceResponse, spec: ModelSpec): object {
  const { rows, classes, scores, label } = classifiedRows(response, spec);
  const values = floatsOf(scores);
  const classesOf = (row: number) =>
    Array.from({ length: classes }, (_, place) => ({
      label: label(row, place),
      score: values[row * classes + place],
    }));
  return { classifications: Array.from({ length: rows }, (_, row) => ({ classes: classesOf(row) })) };
}

function regressionResult(response: InferenceResponse): object {
  return { regressions: Array.from(floatsOf(regressedRows(response)), (value) => ({ value })) };
}

/** A call whose examples are read by the inputs of the model that it names. */
class ExamplesForm implements UnaryForm {
  readonly name: string;
  readonly #call: Call;
  readonly #state: GrpcState;
  readonly #method: TaskMethod;
  #model: SignedModel | undefined;

  constructor(call: Call, state: GrpcState, method: TaskMethod) {
    this.name = call.name;
    this.#call = call;
    this.#state = state;
    this.#method = method;
  }

  decode(bytes: Uint8Array, context: CallContext) {
    const { specs, maxInputBytes } = this.#state;
    const { named, inputs } = decodeExamplesRequest(bytes, maxInputBytes);
    return chained(versionOf(this.#state, named), (version) =>
      mapped(specs.specOf(named.model, version), (spec) => {
        const model = signedModel(spec, named.signature, this.#method);
        this.#model = model;
        const asked = { inputs: inputs(model.spec.inputs, spec.maxBatchSize > 0), outputs: [] };
        return requestOfParts({ ...context, model: named.model, version }, ownNames(model, asked));
      }),
    );
  }

  encode(response: InferenceResponse, headBytes: number, room: ReplyRoom): Buffer {
    const { model, version } = response.version;
    const signed = this.#model as SignedModel;
    const result = resultOf(this.#method, signed, response);
    const answer = { result, model_spec: specMessage(model, version, signed.signature) };
    return framedMessage(this.#call, answer, headBytes, room);
  }
}

/** An answer of a call, behind the free head of its frame. */
export function framedMessage(call: Call, answer: object, headBytes: number, room: ReplyRoom): Buffer {
  const message = call.encode(answer);
  const framed = room.place(headBytes + message.byteLength);
  framed.set(message, headBytes);
  return framed;
}
