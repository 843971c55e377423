import { isUtf8 } from 'node:buffer';
import { ServingError } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { JsonScanner } from '../v2-rest/json-scanner.js';
import { quoted } from '../v2-rest/json-writer.js';

/** How an event is carried over HTTP: its attributes as headers, or all of it as one JSON object. */
export type EventMode = 'binary' | 'structured';

/** What an event of a request has inside. */
export interface EventBody {
  /** A view of the body, or memory of its own. */
  readonly data: Uint8Array;
  readonly contentType: string;
}

/** The attributes that an event must have, without `ce-` before them. */
const REQUIRED = ['specversion', 'id', 'source', 'type'] as const;
/** The same as headers of an event in binary mode. */
export const EVENT_HEADERS: readonly string[] = REQUIRED.map((name) => `ce-${name}`);
const STRUCTURED_TYPE = 'application/cloudevents+json';
const BATCH_TYPE = 'application/cloudevents-batch+json';

/** The mode of a request's event by two of its headers; undefined: it is none. Throws UNSUPPORTED_MEDIA for a batch of them. */
export function eventMode(contentType: string, specversion: string): EventMode | undefined {
  if (contentType.startsWith(BATCH_TYPE))
    throw new ServingError('UNSUPPORTED_MEDIA', 'a batch of CloudEvents is not taken: send each by itself');
  if (contentType.startsWith(STRUCTURED_TYPE)) return 'structured';
  return specversion === '' ? undefined : 'binary';
}

/** Checks the attributes of an event in binary mode. Throws MALFORMED_REQUEST. */
export function checkEventHeaders(header: (name: string) => string): void {
  for (const name of REQUIRED) checkAttribute(`the header ce-${name}`, name, header(`ce-${name}`));
}

/**
 * Opens an event in structured mode (CloudEvents 1.0, JSON format). Its `data` is left as it was written, for whoever reads it; text
 * of another media type than JSON is given as itself. Throws MALFORMED_REQUEST.
 */
export function openEvent(body: Uint8Array): EventBody {
  if (!isUtf8(body)) throw malformed('its JSON is not valid UTF-8');
  const scan = new JsonScanner(body);
  const attributes = new Map<string, string>();
  let data: Uint8Array | undefined;
  let base64: string | undefined;
  const seen = new Set<string>();
  scan.openObject('a CloudEvent');
  for (let key = scan.key(true); key !== undefined; key = scan.key(false)) {
    if (seen.has(key)) throw malformed(`it has ${shown(key)} twice`);
    seen.add(key);
    if (key === 'data') {
      scan.peek();
      const start = scan.at;
      scan.skip();
      data = body.subarray(start, scan.at);
    } else if (key === 'data_base64') base64 = scan.string(key);
    else if (key === 'datacontenttype' || REQUIRED.some((name) => name === key)) attributes.set(key, scan.string(key));
    else scan.skip();
  }
  scan.finish();
  for (const name of REQUIRED) checkAttribute(shown(name), name, attributes.get(name) ?? '');
  if (base64 !== undefined && data !== undefined) throw malformed('it has both "data" and "data_base64"');
  const contentType = attributes.get('datacontenttype');
  if (base64 !== undefined) {
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw malformed('its "data_base64" is not base64');
    return { data: Buffer.from(base64, 'base64'), contentType: contentType ?? 'application/octet-stream' };
  }
  if (data === undefined) throw malformed('it has neither "data" nor "data_base64"');
  return asText(data, contentType ?? 'application/json');
}

/** Text that stands as a JSON string for itself, as CSV does. */
function asText(data: Uint8Array, contentType: string): EventBody {
  const isText = data[0] === 0x22 && !/^[^;]*[/+]json\b/i.test(contentType);
  return { data: isText ? Buffer.from(new JsonScanner(data).string('data')) : data, contentType };
}

export interface EventAnswer {
  readonly model: string;
  /** Of the event, and when it was made. */
  readonly id: string;
  readonly timeMs: number;
  readonly contentType: string;
  /** What it carries. */
  readonly body: Uint8Array;
}

/** What an answer's type and source are, as KServe names them. */
const ANSWER_TYPE = 'io.kserve.inference.response';

/** The answer to an event, an event of the same mode; `body` is `answer.body`, or memory of its own. */
export function answerEvent(
  mode: EventMode,
  { model, id, timeMs, contentType, body }: EventAnswer,
): { readonly contentType: string; readonly body: Uint8Array; readonly headers: string[] } {
  const source = `io.kserve.inference.${model}`;
  const time = new Date(timeMs).toISOString();
  if (mode === 'binary') {
    const headers = [
      'ce-specversion',
      '1.0',
      'ce-id',
      id,
      'ce-source',
      headerText(source),
      'ce-type',
      ANSWER_TYPE,
      'ce-time',
      time,
    ];
    return { contentType, body, headers };
  }
  const head = `{"specversion":"1.0","id":${quoted(id)},"source":${quoted(source)},"type":"${ANSWER_TYPE}","time":"${time}","datacontenttype":${quoted(contentType)},`;
  const json = contentType === 'application/json';
  const data = json ? body : Buffer.from(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'));
  const parts = json ? [`${head}"data":`, '}'] : [`${head}"data_base64":"`, '"}'];
  const [before, after] = parts.map((part) => Buffer.from(part)) as [Buffer, Buffer];
  return { contentType: STRUCTURED_TYPE, body: Buffer.concat([before, data, after]), headers: [] };
}

/** Percent-encoded where a header could not carry it (CloudEvents HTTP binding, 3.1.3.2). */
function headerText(text: string): string {
  return text.replace(/[^\x21-\x7e]|["%]/gu, (character) => encodeURIComponent(character));
}

function checkAttribute(what: string, name: string, value: string): void {
  if (value === '') throw malformed(`${what} is missing or empty`);
  if (name === 'specversion' && value !== '1.0') throw malformed(`${what} is ${shown(value)}, expected 1.0`);
}

function malformed(why: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', `CloudEvent: ${why}`);
}
