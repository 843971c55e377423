import type { Attributes } from '@opentelemetry/api';
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PROTOCOL_NAME,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL,
} from '@opentelemetry/semantic-conventions';
import { ERRORS, type TextUse, type WatchedProtocol } from '../../core/index.js';
import type { RequestRecord } from './trace-record.js';

/** Of the conventions that are not stable yet (1.45): copied, as their package asks who depends on it to do. */
const ATTR_HTTP_REQUEST_BODY_SIZE = 'http.request.body.size';
const ATTR_HTTP_RESPONSE_BODY_SIZE = 'http.response.body.size';
const ATTR_RPC_SYSTEM_NAME = 'rpc.system.name';
const ATTR_RPC_METHOD = 'rpc.method';
const ATTR_RPC_RESPONSE_STATUS_CODE = 'rpc.response.status_code';

const SERVICE = 'inference.GRPCInferenceService';

/** What the server span of a request says: OpenTelemetry's conventions where they have a name for it, else `penstock.*`. */
export function requestAttributes(record: RequestRecord): Attributes {
  const { requestId, version, route, tenant, criticality, priority, deadlineMs, run, userAgent } = record;
  return {
    ...OF_PROTOCOL[record.protocol](record),
    ...(userAgent === '' ? {} : { [ATTR_USER_AGENT_ORIGINAL]: userAgent }),
    ...(record.reason === undefined ? {} : { [ATTR_ERROR_TYPE]: record.reason }),
    'penstock.kept_for': record.keptFor,
    ...(record.model === '' ? {} : { 'penstock.model.name': record.model }),
    ...(version === undefined ? {} : { 'penstock.model.version': version }),
    ...(requestId === '' ? {} : { 'penstock.request.id': requestId }),
    ...(route === '' ? {} : { 'penstock.route': route }),
    ...(tenant === '' ? {} : { 'penstock.tenant': tenant }),
    ...(criticality === '' ? {} : { 'penstock.criticality': criticality }),
    ...(priority === 0 ? {} : { 'penstock.priority': priority }),
    ...(Number.isFinite(deadlineMs) ? { 'penstock.deadline_ms': deadlineMs } : {}),
    ...(run?.whole !== true
      ? {}
      : {
          'penstock.batch.rows': run.rows,
          'penstock.batch.requests': run.requests,
          'penstock.batch.padding_share': run.paddingShare,
        }),
    ...(run === undefined || run.device === '' ? {} : { 'penstock.device': run.device }),
    ...(record.texts === undefined ? {} : textAttributes(record.texts, record.model)),
  };
}

/** OpenTelemetry's conventions for generative AI, whose operation of embeddings is one of texts. */
function textAttributes({ operation, requestModel, inputTokens, encodingFormats }: TextUse, model: string): Attributes {
  return {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': 'penstock',
    'gen_ai.request.model': requestModel === '' ? model : requestModel,
    'gen_ai.response.model': model,
    'gen_ai.usage.input_tokens': inputTokens,
    ...(encodingFormats === undefined ? {} : { 'gen_ai.request.encoding_formats': [...encodingFormats] }),
  };
}

const OF_PROTOCOL: Record<WatchedProtocol, (record: RequestRecord) => Attributes> = {
  http: (record) => ({
    [ATTR_HTTP_REQUEST_METHOD]: 'POST',
    [ATTR_HTTP_ROUTE]: pathOf(':model', record.requestedVersion === undefined ? undefined : ':version', 'infer'),
    [ATTR_URL_PATH]: pathOf(record.model, record.requestedVersion, 'infer'),
    [ATTR_URL_SCHEME]: 'http',
    [ATTR_HTTP_RESPONSE_STATUS_CODE]: record.reason === undefined ? 200 : ERRORS[record.reason].http,
    [ATTR_HTTP_REQUEST_BODY_SIZE]: record.requestBytes,
    [ATTR_HTTP_RESPONSE_BODY_SIZE]: record.replyBytes,
  }),
  websocket: (record) => ({
    [ATTR_NETWORK_PROTOCOL_NAME]: 'websocket',
    [ATTR_URL_PATH]: pathOf(record.model, record.requestedVersion, 'stream'),
    [ATTR_URL_SCHEME]: 'ws',
    'penstock.request.bytes': record.requestBytes,
    'penstock.reply.bytes': record.replyBytes,
  }),
  grpc: (record) => rpc(record, 'ModelInfer'),
  grpc_stream: (record) => rpc(record, 'ModelStreamInfer'),
};

function rpc(record: RequestRecord, method: string): Attributes {
  return {
    [ATTR_RPC_SYSTEM_NAME]: 'grpc',
    [ATTR_RPC_METHOD]: `${SERVICE}/${method}`,
    [ATTR_RPC_RESPONSE_STATUS_CODE]: record.reason === undefined ? 'OK' : ERRORS[record.reason].grpc,
    'penstock.request.bytes': record.requestBytes,
    'penstock.reply.bytes': record.replyBytes,
  };
}

function pathOf(model: string, version: number | string | undefined, call: string): string {
  return `/v2/models/${model}${version === undefined ? '' : `/versions/${version}`}/${call}`;
}
