import { ServingError } from '../../../core/index.js';
import type { EventMode } from '../../codec/index.js';
import { asksToExplain } from '../explain.js';
import type { HttpRequest } from '../uws/uws-types.js';

/** What the server reads of a request's headers. One object is reused: copy what must outlive the handler. */
export interface RequestHeaders {
  /** -1: none (no body, or a chunked one). */
  contentLength: number;
  /** `Inference-Header-Content-Length`; undefined = absent. */
  headerLength: number | undefined;
  contentEncoding: string;
  acceptEncoding: string;
  /** `x-request-timeout-ms`; undefined = absent. */
  timeoutMs: number | undefined;
  authorization: string;
  /** `x-penstock-explain`: the reply shall say in headers what became of the request on its way. */
  explain: boolean;
  /** Of the header that names tenants; empty = absent. */
  tenant: string;
  /** `x-penstock-criticality`; empty = absent. */
  criticality: string;
  /** Of the W3C trace context; empty = absent. `traceparent` twice is none that is valid. */
  traceparent: string;
  tracestate: string;
  userAgent: string;
  /** The request is a CloudEvent: how it is carried. */
  event: EventMode | undefined;
  /** A web page or a proxy stands between the client and us. */
  relayed: boolean;
}

const read: RequestHeaders = {
  contentLength: -1,
  headerLength: undefined,
  contentEncoding: '',
  acceptEncoding: '',
  timeoutMs: undefined,
  authorization: '',
  explain: false,
  tenant: '',
  criticality: '',
  traceparent: '',
  tracestate: '',
  userAgent: '',
  event: undefined,
  relayed: false,
};
/** What the media types of CloudEvents begin with. */
const EVENT_TYPES = 'application/cloudevents';
/** Valid as no trace context. */
const TWICE = 'twice';
let problem: string | undefined;
let tenantName = '';

/**
 * Reads a request's headers in one pass (a pass is cheaper than a look-up by name for each, and alone sees duplicates).
 * Throws `MALFORMED_REQUEST` for headers that are broken or that two readers could understand differently: repeated
 * Content-Length or tenant, another transfer coding than chunked. `tenantHeader`: the name of the header that names tenants.
 */
export function readHeaders(request: HttpRequest, tenantHeader = ''): RequestHeaders {
  read.contentLength = -1;
  read.headerLength = undefined;
  read.contentEncoding = '';
  read.acceptEncoding = '';
  read.timeoutMs = undefined;
  read.authorization = '';
  read.explain = false;
  read.tenant = '';
  read.criticality = '';
  read.traceparent = '';
  read.tracestate = '';
  read.userAgent = '';
  read.event = undefined;
  read.relayed = false;
  problem = undefined;
  tenantName = tenantHeader;
  request.forEach(readHeader);
  if (problem !== undefined) throw new ServingError('MALFORMED_REQUEST', problem);
  return read;
}

/** The token of `Authorization: Bearer`, or undefined. */
export function bearerToken(authorization: string): string | undefined {
  return /^bearer +([^\s]+)$/i.exec(authorization)?.[1];
}

function readHeader(name: string, value: string): void {
  switch (name) {
    case 'content-length':
      if (read.contentLength >= 0) problem = 'the header Content-Length comes twice';
      read.contentLength = wholeNumber(name, value);
      break;
    case 'inference-header-content-length':
      if (read.headerLength !== undefined) problem = 'the header Inference-Header-Content-Length comes twice';
      read.headerLength = wholeNumber(name, value);
      break;
    case 'transfer-encoding':
      if (value.toLowerCase() !== 'chunked') problem = 'the transfer coding is not supported: expected chunked';
      break;
    case 'content-encoding':
      read.contentEncoding = value;
      break;
    case 'accept-encoding':
      read.acceptEncoding = value;
      break;
    case 'x-request-timeout-ms':
      read.timeoutMs = wholeNumber(name, value);
      if (read.timeoutMs === 0)
        problem ??= 'the header x-request-timeout-ms is 0: expected a positive whole number of milliseconds';
      break;
    case 'authorization':
      read.authorization = value;
      break;
    case 'x-penstock-explain':
      read.explain = asksToExplain(value);
      break;
    case 'origin':
    case 'forwarded':
    case 'x-forwarded-for':
    case 'x-real-ip':
      read.relayed = true;
      break;
    case 'x-penstock-criticality':
      read.criticality = value;
      break;
    case 'traceparent':
      read.traceparent = read.traceparent === '' ? value : TWICE;
      break;
    case 'tracestate':
      read.tracestate = read.tracestate === '' ? value : `${read.tracestate},${value}`;
      break;
    case 'ce-specversion':
      read.event ??= 'binary';
      break;
    case 'content-type':
      if (value.startsWith(EVENT_TYPES)) read.event = 'structured';
      break;
    case 'user-agent':
      read.userAgent = value;
      break;
    default:
      if (name === tenantName) {
        if (read.tenant !== '') problem = `the header ${name} comes twice`;
        read.tenant = value;
      }
  }
}

function wholeNumber(name: string, value: string): number {
  if (/^[0-9]{1,15}$/.test(value)) return Number(value);
  problem ??= `the header ${name} is not a whole number of at most 15 digits`;
  return 0;
}
