/** A frame of a WebSocket (RFC 6455, section 5.2) that a server sent. */
export interface ServerFrame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Buffer;
  readonly totalBytes: number;
}

export const OPCODES = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/**
 * A whole frame as clients send them. Its masking key is zero, so that the payload stands in it as it is and a frame can be
 * sent again without work; keys are random to keep web pages from forging requests to proxies, which is no matter here.
 */
export function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const size = payload.byteLength;
  const extended = size < 126 ? 0 : size < 65536 ? 2 : 8;
  const frame = Buffer.alloc(2 + extended + 4 + size);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (extended === 0 ? size : extended === 2 ? 126 : 127);
  if (extended === 2) frame.writeUInt16BE(size, 2);
  if (extended === 8) frame.writeBigUInt64BE(BigInt(size), 2);
  frame.set(payload, 2 + extended + 4);
  return frame;
}

/** The frame that `bytes` starts with; undefined where more must come. */
export function readServerFrame(bytes: Buffer): ServerFrame | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return undefined;
  const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + size) return undefined;
  return {
    opcode: bytes[0]! & 0x0f,
    final: (bytes[0]! & 0x80) !== 0,
    payload: bytes.subarray(start, start + size),
    totalBytes: start + size,
  };
}
