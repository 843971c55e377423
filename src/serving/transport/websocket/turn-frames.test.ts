import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AT_ONCE_BYTES, ReplyMemory } from '../reply-memory.js';
import { FrameQueue, TurnFrames } from './turn-frames.js';

/** What the library was told, each system call a list of the first bytes of its frames. */
class Wire {
  readonly calls: string[][] = [];
  readonly compressed: boolean[] = [];
  #corked: string[] | undefined;

  readonly socket = {
    send: (data: unknown, _binary?: boolean, compress?: boolean): number => {
      const bytes = data as Uint8Array;
      const text = `${Buffer.from(bytes.subarray(0, 8)).toString()}x${bytes.byteLength}`;
      this.compressed.push(compress === true);
      if (this.#corked === undefined) this.calls.push([text]);
      else this.#corked.push(text);
      return 1;
    },
    cork: (act: () => void) => {
      this.#corked = [];
      act();
      this.calls.push(this.#corked);
      this.#corked = undefined;
      return undefined as never;
    },
  };
}

function encode(turn: TurnFrames, name: string, bytes: number): { readonly data: Buffer; readonly binary: boolean } {
  const data = turn.place(bytes);
  data.fill(0);
  data.write(name.padEnd(8));
  return { data, binary: true };
}

const shown = (name: string, bytes: number) => `${name.padEnd(8)}x${bytes}`;

describe('the frames of a turn', () => {
  it('leave at once where no other answer is due', () => {
    const wire = new Wire();
    const turn = new TurnFrames(new ReplyMemory(undefined));
    const queue = new FrameQueue(wire.socket, turn, false);
    queue.send(encode(turn, 'a', 100), false);
    queue.send(encode(turn, 'b', 100), false);
    expect(wire.calls).toEqual([[shown('a', 100)], [shown('b', 100)]]);
  });

  it('leave together when the turn ends', async () => {
    const wire = new Wire();
    const turn = new TurnFrames(new ReplyMemory(undefined));
    const queue = new FrameQueue(wire.socket, turn, false);
    for (const name of ['a', 'b', 'c']) queue.send(encode(turn, name, 100), true);
    expect(wire.calls).toEqual([]);
    await Promise.resolve();
    expect(wire.calls).toEqual([['a', 'b', 'c'].map((name) => shown(name, 100))]);
  });

  it('leave with the last answer that is due', async () => {
    const wire = new Wire();
    const turn = new TurnFrames(new ReplyMemory(undefined));
    const queue = new FrameQueue(wire.socket, turn, false);
    queue.send(encode(turn, 'a', 100), true);
    queue.send(encode(turn, 'b', 2 * AT_ONCE_BYTES), false);
    expect(wire.calls).toEqual([[shown('a', 100), shown('b', 2 * AT_ONCE_BYTES)]]);
    await Promise.resolve();
    expect(wire.calls).toHaveLength(1);
  });

  it('are gone with their socket', async () => {
    const wire = new Wire();
    const turn = new TurnFrames(new ReplyMemory(undefined));
    const queue = new FrameQueue(wire.socket, turn, false);
    queue.send(encode(turn, 'a', 100), true);
    queue.drop();
    await Promise.resolve();
    expect(wire.calls).toEqual([]);
  });

  it('are compressed from 1 KB to 1 MB where the client can inflate them', () => {
    const wire = new Wire();
    const turn = new TurnFrames(new ReplyMemory(undefined));
    const sizes = [1023, 1024, 1024 * 1024, 1024 * 1024 + 1];
    for (const compression of [false, true]) {
      const queue = new FrameQueue(wire.socket, turn, compression);
      for (const bytes of sizes) queue.send(encode(turn, 'a', bytes), false);
    }
    expect(wire.compressed).toEqual([false, false, false, false, false, true, true, false]);
  });

  it('arrive whole and in order at each of several connections, whatever their sizes and turns', async () => {
    const step = fc.record({
      to: fc.nat(2),
      bytes: fc.oneof(fc.integer({ min: 8, max: 300 }), fc.integer({ min: 5000, max: AT_ONCE_BYTES + 2000 })),
      mayWait: fc.boolean(),
      endsTurn: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const turn = new TurnFrames(new ReplyMemory(undefined));
        const wires = [new Wire(), new Wire(), new Wire()];
        const queues = wires.map(({ socket }) => new FrameQueue(socket, turn, false));
        const sent: string[][] = [[], [], []];
        for (const [i, { to, bytes, mayWait, endsTurn }] of steps.entries()) {
          queues[to]?.send(encode(turn, String(i), bytes), mayWait && bytes <= AT_ONCE_BYTES);
          sent[to]?.push(shown(String(i), bytes));
          if (endsTurn) await Promise.resolve();
        }
        await Promise.resolve();
        expect(wires.map(({ calls }) => calls.flat())).toEqual(sent);
      }),
    );
  });
});
