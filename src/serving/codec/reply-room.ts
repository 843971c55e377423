import { type ByteCopy, setBytes } from '../../core/index.js';

/** Where a reply is encoded and how large tensors get there. */
export interface ReplyRoom {
  /** Gives room for the encoded reply, of exactly so many bytes. */
  place(bytes: number): Buffer;
  readonly copy: ByteCopy;
}

/** Memory of its own for each reply. */
export const OWN_ROOM: ReplyRoom = { place: (bytes) => Buffer.allocUnsafe(bytes), copy: setBytes };
