/** An HTTP/1.1 answer at the start of some bytes. */
export interface HttpAnswer {
  readonly status: number;
  /** Bytes of head and body together. */
  readonly totalBytes: number;
  /** The body as text, for error messages. */
  bodyText(): string;
}

const HEAD_END = Buffer.from('\r\n\r\n');

/** The whole answer that `bytes` starts with; undefined where more must come. Throws a sentence where it is none. */
export function readHttpAnswer(bytes: Buffer): HttpAnswer | undefined {
  const head = bytes.indexOf(HEAD_END);
  if (head < 0) return undefined;
  const text = bytes.toString('latin1', 0, head);
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  if (status === undefined) throw new Error(`no HTTP answer: ${JSON.stringify(text.slice(0, 40))}`);
  const start = head + HEAD_END.length;
  const end = /\r\ntransfer-encoding:\s*chunked/i.test(text) ? endOfChunks(bytes, start) : start + bodyLength(text);
  if (end === undefined || bytes.length < end) return undefined;
  return { status: Number(status), totalBytes: end, bodyText: () => bytes.toString('utf8', start, end) };
}

function bodyLength(head: string): number {
  return Number(/\r\ncontent-length:\s*(\d+)/i.exec(head)?.[1] ?? 0);
}

/** Where a chunked body ends, trailers included; undefined where it does not yet. */
function endOfChunks(bytes: Buffer, start: number): number | undefined {
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (Number.isNaN(size)) throw new Error('a chunk of the answer has no size');
    if (size > 0) {
      at = lineEnd + 2 + size + 2;
      continue;
    }
    const end = bytes.indexOf('\r\n', lineEnd + 2) === lineEnd + 2 ? lineEnd + 2 : bytes.indexOf(HEAD_END, lineEnd + 2);
    if (end < 0) return undefined;
    return end + (end === lineEnd + 2 ? 2 : HEAD_END.length);
  }
}
