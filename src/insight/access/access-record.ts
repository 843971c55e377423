import type { Reason, WatchedProtocol } from '../../core/index.js';

/** What a line of the access log tells of one request. Empty texts: not known, or not wanted. */
export interface AccessRecord {
  readonly protocol: WatchedProtocol;
  /** `POST`, as HTTP/2 has it for gRPC. */
  readonly method: string;
  /** Without its query; of gRPC `/package.Service/Method`. */
  readonly path: string;
  readonly client: string;
  readonly userAgent: string;
  /** Of HTTP, or the number of gRPC's code. */
  readonly status: number;
  readonly reason: Reason | undefined;
  readonly requestBytes: number;
  readonly replyBytes: number;
  /** From its first byte to its answer. */
  readonly totalNs: number;
  /** Wall clock when it ended. */
  readonly endedMs: number;
  /** Undefined for calls that are no inferences. */
  readonly inference: AccessedInference | undefined;
}

export interface AccessedInference {
  readonly model: string;
  /** Undefined: it came to none. */
  readonly version: number | undefined;
  readonly route: string;
  readonly tenant: string;
  readonly requestId: string;
  /** Of its caller, or of one that is kept; else empty. */
  readonly traceId: string;
  /** 0 where it was in no execution to its end. */
  readonly queueNs: number;
  readonly computeNs: number;
  readonly batchRows: number;
}

/** Whether the request got what it wanted. */
export function isAnswered({ protocol, status }: AccessRecord): boolean {
  return protocol === 'grpc' || protocol === 'grpc_stream' ? status === 0 : status < 400;
}
