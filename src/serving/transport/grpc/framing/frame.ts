/** Bytes before each message on the wire: a flag (1 = compressed) and the length, 32 bits big-endian. */
export const FRAME_HEAD_BYTES = 5;

/** Fills in the head of a frame whose message already lies behind `FRAME_HEAD_BYTES` free bytes; returns the frame. */
export function sealFrame(frame: Buffer, compressed = false): Buffer {
  frame[0] = compressed ? 1 : 0;
  frame.writeUInt32BE(frame.byteLength - FRAME_HEAD_BYTES, 1);
  return frame;
}

/** A frame around a copy of `message`, for messages that are small. */
export function frameOf(message: Uint8Array, compressed = false): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + message.byteLength);
  frame.set(message, FRAME_HEAD_BYTES);
  return sealFrame(frame, compressed);
}
