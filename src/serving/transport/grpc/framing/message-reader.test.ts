import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { POISON, poisonedArena } from '../../../../../test/support/poisoned-arena.js';
import { frameOf } from './frame.js';
import { MessageReader } from './message-reader.js';

/** All messages that come out when `bytes` arrive cut at these places. */
function read(bytes: Buffer, cuts: readonly number[], reader = new MessageReader(1 << 20)): Buffer[] {
  const messages: Buffer[] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...ends, bytes.length]) {
    if (to > from) reader.push(bytes.subarray(from, to));
    from = to;
    for (let message = reader.next(); message !== undefined; message = reader.next()) messages.push(message);
  }
  return messages;
}

describe('messages', () => {
  it('come out as they went in, however they are cut into chunks', () => {
    const message = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 20 }), (sent, cuts) => {
        const messages = read(Buffer.concat(sent.map((bytes) => frameOf(bytes))), cuts);
        expect(messages.map((bytes) => [...bytes])).toEqual(sent.map((bytes) => [...bytes]));
      }),
    );
  });

  it('larger than what is reserved at first come whole', () => {
    const sent = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
    const large = Buffer.concat(Array.from({ length: 600 }, () => sent));
    const cuts = Array.from({ length: 190 }, (_, i) => i * 16_384);
    const [came, ...rest] = read(frameOf(large), cuts, new MessageReader(4 << 20));
    expect(came?.equals(large)).toBe(true);
    expect(rest).toEqual([]);
  });

  it('that span chunks lie in pooled memory until they are released, their end at a 64-byte boundary', () => {
    const memory = poisonedArena();
    const size = fc.oneof(fc.nat(60), fc.nat(300_000));
    fc.assert(
      fc.property(fc.array(size, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 12 }), (sizes, cuts) => {
        const sent = sizes.map((bytes, i) => Buffer.alloc(bytes, i + 1));
        const reader = new MessageReader(1 << 20, memory);
        const all = Buffer.concat(sent.map((bytes) => frameOf(bytes)));
        const places = [...new Set([...cuts.map((cut) => cut % (all.length + 1)), all.length])].sort((a, b) => a - b);
        let from = 0;
        let count = 0;
        for (const to of places) {
          if (to > from) reader.push(Buffer.from(all.subarray(from, to)));
          from = to;
          for (let message = reader.next(); message !== undefined; message = reader.next()) {
            expect(message.equals(sent[count++] as Buffer)).toBe(true);
            if (reader.lease === undefined) continue;
            expect((message.byteOffset + message.byteLength) % 64).toBe(0);
            reader.lease.release();
            expect(message.byteLength === 0 || message[0] === POISON).toBe(true);
          }
        }
        expect([count, memory.leases]).toEqual([sent.length, 0]);
      }),
    );
  });

  it('that are compressed, or never end, leave no slot behind', () => {
    const memory = poisonedArena();
    const reader = new MessageReader(1 << 20, memory);
    const frame = frameOf(Buffer.alloc(100_000), true);
    reader.push(Buffer.from(frame.subarray(0, 50_000)));
    expect([reader.next(), memory.leases]).toEqual([undefined, 0]);
    const cut = new MessageReader(1 << 20, memory);
    cut.push(frameOf(Buffer.alloc(100_000)).subarray(0, 50_000));
    expect([cut.next(), memory.leases]).toEqual([undefined, 1]);
    cut.release();
    expect(memory.leases).toBe(0);
  });

  it('wait for the rest of a chunk that comes while one is unread', () => {
    const reader = new MessageReader(100);
    reader.push(Buffer.concat([frameOf(Buffer.of(1)), frameOf(Buffer.of(2, 3)).subarray(0, 6)]));
    expect([...(reader.next() as Buffer)]).toEqual([1]);
    reader.push(Buffer.of(3));
    expect([...(reader.next() as Buffer)]).toEqual([2, 3]);
    expect(reader.next()).toBeUndefined();
    expect(reader.insideMessage).toBe(false);
  });

  it('say whether they are compressed, and whether one has begun', () => {
    const reader = new MessageReader(100);
    reader.push(Buffer.of(1, 0, 0));
    expect([reader.next(), reader.insideMessage]).toEqual([undefined, true]);
    reader.push(Buffer.of(0, 1, 7));
    expect([...(reader.next() as Buffer)]).toEqual([7]);
    expect([reader.compressed, reader.insideMessage]).toEqual([true, false]);
  });
});

describe('a head', () => {
  it('that declares more than is allowed is refused before the message comes', () => {
    const reader = new MessageReader(10);
    reader.push(Buffer.of(0, 0, 0, 0, 11));
    expect(() => reader.next()).toThrow(/at most 10 bytes, not 11/);
  });

  it('with an unknown flag is refused', () => {
    const reader = new MessageReader(10);
    reader.push(Buffer.of(2, 0, 0, 0, 1));
    expect(() => reader.next()).toThrow(/flag 2/);
  });
});
