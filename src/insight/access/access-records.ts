import {
  type Clock,
  ERRORS,
  GRPC_CODE_NUMBERS,
  type Reason,
  type RequestWatch,
  type WatchedProtocol,
} from '../../core/index.js';
import type { WatchedRequest } from '../traces/watched-request.js';
import type { AccessRecord } from './access-record.js';

/** Longer texts of callers are cut. */
const MOST_CHARACTERS = 256;
const SERVICE = '/inference.GRPCInferenceService';

/** What a request that has ended is logged by. */
export function accessRecord(
  watched: WatchedRequest,
  replyBytes: number,
  endedNs: number,
  endedMs: number,
): AccessRecord {
  const { protocol, model, told } = watched;
  const { request, error, mark, run, traced } = told;
  return {
    protocol,
    method: 'POST',
    path: PATH_OF[protocol](cut(model), request?.version),
    client: watched.client,
    userAgent: cut(watched.userAgent),
    status: statusOf(protocol, error?.reason),
    reason: error?.reason,
    requestBytes: watched.requestBytes,
    replyBytes,
    totalNs: endedNs - watched.receivedNs,
    endedMs,
    inference: {
      model: cut(model),
      version: mark?.version,
      route: mark?.route ?? '',
      tenant: told.tenant,
      requestId: cut(request?.id ?? ''),
      traceId: traced ? watched.traceId : '',
      queueNs: run?.queueNs ?? 0,
      computeNs: run === undefined ? 0 : run.dispatchNs + run.computeNs,
      batchRows: run?.batchRows ?? 0,
    },
  };
}

/** Has calls that are no inferences logged. */
export function watchedCall(access: (record: AccessRecord) => void, clock: Clock): NonNullable<RequestWatch['call']> {
  return (protocol, method, path, userAgent, client) => {
    const receivedNs = clock.nowNs();
    return {
      ended: (status, replyBytes) =>
        access({
          protocol,
          method,
          path: cut(path),
          client,
          userAgent: cut(userAgent),
          status,
          reason: undefined,
          requestBytes: 0,
          replyBytes,
          totalNs: clock.nowNs() - receivedNs,
          endedMs: clock.wallMs(),
          inference: undefined,
        }),
    };
  };
}

const PATH_OF: Record<WatchedProtocol, (model: string, version: number | undefined) => string> = {
  http: (model, version) => restPath(model, version, 'infer'),
  websocket: (model, version) => restPath(model, version, 'stream'),
  grpc: () => `${SERVICE}/ModelInfer`,
  grpc_stream: () => `${SERVICE}/ModelStreamInfer`,
};

function restPath(model: string, version: number | undefined, call: string): string {
  return `/v2/models/${model}${version === undefined ? '' : `/versions/${version}`}/${call}`;
}

function statusOf(protocol: WatchedProtocol, reason: Reason | undefined): number {
  const ofGrpc = protocol === 'grpc' || protocol === 'grpc_stream';
  if (reason === undefined) return ofGrpc ? 0 : 200;
  const { grpc, http } = ERRORS[reason];
  return ofGrpc ? GRPC_CODE_NUMBERS[grpc] : http;
}

function cut(text: string): string {
  return text.length > MOST_CHARACTERS ? text.slice(0, MOST_CHARACTERS) : text;
}
