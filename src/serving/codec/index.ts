export {
  answerEvent,
  checkEventHeaders,
  EVENT_HEADERS,
  type EventMode,
  eventMode,
  openEvent,
} from './cloud-event/cloud-event.js';
export { decodeGenerateBody, type GenerateBody } from './generate/generate-body.js';
export { encodeErrorEvent, encodeGenerateEvent, encodeGenerateReply } from './generate/generate-reply.js';
export { GENERATE_SCHEMAS } from './generate/generate-schemas.js';
export { attachGenerate, type DetachedGenerate } from './generate/offload-generate.js';
export type { PlacedTensors } from './placed-tensors.js';
export type { PlainBody, PlainPictures } from './plain/plain-body.js';
export { decodePlainCsv } from './plain/plain-csv.js';
export { decodePlainFields, isFieldsBody } from './plain/plain-fields.js';
export { decodePlainForm } from './plain/plain-form-data.js';
export { decodePlainJson } from './plain/plain-json.js';
export { decodePlainNpy, isNpy } from './plain/plain-npy.js';
export { encodePlainReply } from './plain/plain-reply.js';
export { PLAIN_SCHEMAS } from './plain/plain-schemas.js';
export { imageInput } from './plain/plain-table.js';
export { attachPredict, type DetachedPredict, decodePredictInput } from './predict-rest/offload-predict.js';
export type { PredictBody } from './predict-rest/predict-body.js';
export { encodePredictReply } from './predict-rest/predict-reply.js';
export { PREDICT_SCHEMAS } from './predict-rest/predict-schemas.js';
export { encodeClassifyReply, encodeRegressReply } from './predict-rest/results-reply.js';
export { OWN_ROOM, type ReplyRoom } from './reply-room.js';
export { type RequestContext, type RequestParts, requestOfParts } from './request-parts.js';
export { V2_REST_SCHEMAS } from './schemas.js';
export { documentsError, encodeRankedDocuments, type RankedDocuments } from './texts/documents.js';
export { encodeOpenAiEmbeddings, openAiError } from './texts/openai.js';
export type { TeiChoice } from './texts/tei.js';
export {
  classesOfTexts,
  rankedTexts,
  sparseValues,
  teiError,
  teiPredictions,
  teiRanks,
  teiSimilarities,
  teiSparseVectors,
  teiTokens,
  teiTokenVectors,
  teiVectors,
} from './texts/tei-answers.js';
export { embedAllResponse, embedResponse, teiMetadata } from './texts/tei-messages.js';
export { teiStatus } from './texts/tei-status.js';
export { decodeTextBody, type TextBody, type TextBodyKind } from './texts/text-bodies.js';
export { textRequest } from './texts/text-request.js';
export { TEXT_SCHEMAS } from './texts/text-schemas.js';
export { finished, vectorOf, vectorsOfTokens } from './texts/vectors.js';
export { decodeExamplesRequest, type ExamplesMessage } from './tf-grpc/example-messages.js';
export { type NamedModel, namedModel } from './tf-grpc/model-spec.js';
export { decodeMultiInference, type TaskMethod } from './tf-grpc/multi-inference.js';
export { decodePredictRequest, encodePredictResponse } from './tf-grpc/predict-messages.js';
export { classifiedRows, floatsOf, regressedRows } from './tf-serving/method-results.js';
export { SIGNATURE, signatureIn, unknownSignature } from './tf-serving/signature-name.js';
export { TENSORFLOW_TYPES } from './tf-serving/tensorflow-types.js';
export {
  type Call,
  healthCalls,
  inferenceCalls,
  messageBytes,
  modelServiceCalls,
  predictionCalls,
  reflectionCalls,
  sessionCalls,
  teiCalls,
} from './v2-grpc/calls.js';
export { type CallContext, decodeModelInfer } from './v2-grpc/infer-request.js';
export {
  encodeModelInferResponse,
  encodeStreamResponse,
  encodeStreamResponseError,
} from './v2-grpc/infer-response.js';
export { answerReflection, type ReflectionRequest } from './v2-grpc/reflection.js';
export { type EncodedReply, encodeError, encodeInferReply } from './v2-rest/infer-reply.js';
export {
  type DecodedRequest,
  decodeInferBody,
  type InferBodyOptions,
} from './v2-rest/infer-request.js';
export { isV2Body } from './v2-rest/is-v2-body.js';
export { attachV2Json, type DetachedBody, decodeV2Json, OFFLOAD_JSON_BYTES } from './v2-rest/offload-decode.js';
export type { ReplyFormat } from './v2-rest/reply-format.js';
export {
  attachStreamFrame,
  bytesBeforeTensors,
  decodeStreamFrame,
  detachStreamFrame,
  encodeStreamError,
  encodeStreamReply,
  type OutgoingFrame,
  type StreamFrame,
  type StreamFrameOptions,
  streamFrameId,
  streamJsonBytes,
} from './v2-ws/stream-frame.js';
