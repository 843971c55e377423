import { redactText } from '../redaction.js';
import type { AccessedInference, AccessRecord } from './access-record.js';

/** How a record becomes a line, its end included. */
export type AccessFormat = (record: AccessRecord) => string;

/** What of a request's own words is written. */
export interface AccessFields {
  readonly client: boolean;
  readonly userAgent: boolean;
  readonly tenant: boolean;
}

/** One JSON object a line, put together by hand: `JSON.stringify` of an object takes three times as long. */
export function jsonFormat(wanted: AccessFields): AccessFormat {
  return (record) => {
    const { inference, reason } = record;
    let line = `{"time":"${isoTime(record.endedMs)}","protocol":"${record.protocol}","method":${text(record.method)}`;
    line += `,"path":${text(record.path)}`;
    if (wanted.client) line += `,"client":${text(record.client)}`;
    line += `,"status":${record.status}`;
    if (reason !== undefined) line += `,"reason":"${reason}"`;
    line += `,"bytesIn":${record.requestBytes},"bytesOut":${record.replyBytes},"totalMs":${inMs(record.totalNs)}`;
    if (inference !== undefined) line += inferenceText(inference, wanted.tenant);
    if (wanted.userAgent) line += `,"userAgent":${text(record.userAgent)}`;
    return `${line}}\n`;
  };
}

function inferenceText(inference: AccessedInference, withTenant: boolean): string {
  const { model, version, route, tenant, requestId, traceId, batchRows } = inference;
  let line = `,"queueMs":${inMs(inference.queueNs)},"computeMs":${inMs(inference.computeNs)},"model":${text(model)}`;
  if (version !== undefined) line += `,"version":${version}`;
  if (route !== '') line += `,"route":${text(route)}`;
  if (tenant !== '' && withTenant) line += `,"tenant":${text(tenant)}`;
  if (batchRows !== 0) line += `,"batchRows":${batchRows}`;
  if (requestId !== '') line += `,"requestId":${text(requestId)}`;
  if (traceId !== '') line += `,"traceId":"${traceId}"`;
  return line;
}

/** Texts that hold no credential, and need no escape in JSON. */
const PLAIN = /^[\w./:@%+,()[\]-]*$/;

/** As JSON, credentials hidden. */
function text(value: string): string {
  return PLAIN.test(value) ? `"${value}"` : JSON.stringify(redactText(value));
}

let second = 0;
let secondText = '';

/** Lines of one second have all but their last digits in common. */
function isoTime(ms: number): string {
  const now = Math.floor(ms / 1000);
  if (now !== second) {
    second = now;
    secondText = new Date(now * 1000).toISOString().slice(0, 20);
  }
  const rest = ms - now * 1000;
  return `${secondText}${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`;
}

/**
 * Combined Log Format as web servers write it (`client - tenant [time] "request" status bytes "referer" "agent"`), the referer always
 * `-`; behind it milliseconds and names as `key=value`.
 */
export function combinedFormat(wanted: AccessFields): AccessFormat {
  return (record) => {
    const { inference } = record;
    const client = wanted.client ? bare(record.client) : '-';
    const tenant = wanted.tenant ? bare(redactText(inference?.tenant ?? '')) : '-';
    const agent = wanted.userAgent ? quoted(redactText(record.userAgent)) : '"-"';
    const request = quoted(`${record.method} ${redactText(record.path)} ${HTTP_OF[record.protocol]}`);
    const more = Object.entries({
      totalMs: inMs(record.totalNs),
      ...(inference === undefined ? {} : { queueMs: inMs(inference.queueNs), computeMs: inMs(inference.computeNs) }),
      ...(record.reason === undefined ? {} : { reason: record.reason }),
      bytesIn: record.requestBytes,
      ...(inference === undefined ? {} : namesOf(inference)),
    }).map(([name, value]) => `${name}=${bare(String(value))}`);
    const head = `${client} - ${tenant} [${clfTime(record.endedMs)}] ${request} ${record.status} ${record.replyBytes} "-"`;
    return `${head} ${agent} ${more.join(' ')}\n`;
  };
}

const HTTP_OF = { http: 'HTTP/1.1', websocket: 'WebSocket', grpc: 'HTTP/2.0', grpc_stream: 'HTTP/2.0' } as const;

/** What there is of these. */
function namesOf(inference: AccessedInference): Readonly<Record<string, string | number>> {
  const { model, version, route, requestId, traceId, batchRows } = inference;
  return {
    model: redactText(model),
    ...(version === undefined ? {} : { version }),
    ...(route === '' ? {} : { route }),
    ...(batchRows === 0 ? {} : { batchRows }),
    ...(requestId === '' ? {} : { requestId: redactText(requestId) }),
    ...(traceId === '' ? {} : { traceId }),
  };
}

/** To a microsecond. */
function inMs(ns: number): number {
  return Math.round(ns / 1e3) / 1e3;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `10/Oct/2000:13:55:36 +0000` */
function clfTime(ms: number): string {
  const text = new Date(ms).toISOString();
  return `${text.slice(8, 10)}/${MONTHS[Number(text.slice(5, 7)) - 1]}/${text.slice(0, 4)}:${text.slice(11, 19)} +0000`;
}

/** One word; whatever a caller sends, it ends neither the word nor the line. */
function bare(text: string): string {
  if (text === '') return '-';
  return PLAIN.test(text) ? text : quoted(text);
}

function quoted(text: string): string {
  return text === '' ? '"-"' : JSON.stringify(text);
}
