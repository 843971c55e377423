import { ServingError } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';

/** One part of a `multipart/form-data` body (RFC 7578). */
export interface FormPart {
  readonly name: string;
  /** Undefined: a field, no file. */
  readonly filename: string | undefined;
  /** In lower case, without parameters; empty: it says none. */
  readonly contentType: string;
  /** A view of the body. */
  readonly data: Uint8Array;
}

const MOST_PARTS = 4096;
const MOST_HEAD_BYTES = 8192;
const CRLF = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');

/** The parts of a body, in turn. Throws MALFORMED_REQUEST: what was expected at which byte. */
export function formParts(body: Uint8Array, contentType: string): FormPart[] {
  const boundary = boundaryOf(contentType);
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const opening = Buffer.from(`--${boundary}`);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  const parts: FormPart[] = [];
  let at = bytes.subarray(0, opening.length).equals(opening)
    ? opening.length
    : afterPreamble(bytes, delimiter, boundary);
  for (;;) {
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) return parts;
    const start = bytes.indexOf(CRLF, at);
    if (start < 0 || bytes.subarray(at, start).some((byte) => byte !== 0x20 && byte !== 0x09))
      fail(at, 'a line end after the boundary');
    const headEnd = bytes.subarray(start, start + MOST_HEAD_BYTES).indexOf(HEAD_END);
    if (headEnd < 0) fail(start, `the end of a part's headers, within ${MOST_HEAD_BYTES} bytes`);
    const dataStart = start + headEnd + HEAD_END.length;
    // An empty part: the line end before its delimiter is that of its headers.
    const dataEnd = bytes.indexOf(delimiter, dataStart - CRLF.length);
    if (dataEnd < 0) fail(dataStart, `the boundary ${shown(`--${boundary}`)} after the part`);
    if (parts.length === MOST_PARTS) fail(start, `at most ${MOST_PARTS} parts`);
    const head = bytes.toString('utf8', start + CRLF.length, start + headEnd);
    parts.push(partOf(head, body.subarray(dataStart, Math.max(dataStart, dataEnd)), start));
    at = dataEnd + delimiter.length;
  }
}

function boundaryOf(contentType: string): string {
  const match = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary !== undefined) return boundary;
  throw new ServingError('MALFORMED_REQUEST', 'multipart/form-data: the Content-Type has no boundary');
}

function afterPreamble(bytes: Buffer, delimiter: Buffer, boundary: string): number {
  const found = bytes.indexOf(delimiter);
  if (found < 0) fail(0, `the boundary ${shown(`--${boundary}`)}`);
  return found + delimiter.length;
}

function partOf(head: string, data: Uint8Array, at: number): FormPart {
  let disposition = '';
  let contentType = '';
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'content-disposition') disposition = value;
    else if (name === 'content-type') contentType = (value.split(';')[0] ?? '').trim().toLowerCase();
    else if (name === 'content-transfer-encoding' && !/^(binary|8bit|7bit)$/i.test(value))
      fail(at, `a part that is not encoded, its Content-Transfer-Encoding is ${shown(value)}`);
  }
  const name = parameter(disposition, 'name');
  if (!/^form-data\b/i.test(disposition) || name === undefined || name === '')
    fail(at, 'a part with Content-Disposition: form-data; name="..."');
  return { name, filename: parameter(disposition, 'filename'), contentType, data };
}

/** A parameter of a Content-Disposition, as browsers and curl write it: quoted, with `"` as %22 or behind a backslash. */
function parameter(disposition: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;]+))`, 'i').exec(disposition);
  const text = match?.[1] ?? match?.[2];
  return text?.replace(/\\(["\\])/g, '$1').replaceAll('%22', '"');
}

function fail(at: number, expected: string): never {
  throw new ServingError('MALFORMED_REQUEST', `multipart/form-data at byte ${at}: expected ${expected}`);
}
