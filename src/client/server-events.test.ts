import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventsOf } from './server-events.js';

/** A body that comes in pieces; `cancelled` tells whether it was left. */
function bodyOf(pieces: readonly Uint8Array[]) {
  const state = { cancelled: false, taken: 0 };
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const piece = pieces[state.taken++];
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
      cancel: () => {
        state.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, state };
}

async function all(pieces: readonly Uint8Array[]): Promise<string[]> {
  const events = [];
  for await (const event of eventsOf(bodyOf(pieces).body)) events.push(event);
  return events;
}

describe('server-sent events', () => {
  it('are the same however their bytes are cut', async () => {
    const event = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\r\n]/.test(text));
    const ending = fc.constantFrom('\n', '\r\n');
    await fc.assert(
      fc.asyncProperty(fc.array(event), ending, fc.array(fc.nat(400)), async (events, end, cuts) => {
        const text = events.map((data) => `:${end}${end}id: 7${end}data: ${data}${end}${end}`).join('');
        const bytes = new TextEncoder().encode(text);
        const at = [...new Set([0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length])].sort(
          (a, b) => a - b,
        );
        const pieces = at.slice(1).map((to, i) => bytes.subarray(at[i], to));
        expect(await all(pieces)).toEqual(events);
      }),
      { numRuns: 200 },
    );
  });

  it('may have several lines, and are not told before they are whole', async () => {
    expect(await all([new TextEncoder().encode('data:a\ndata: b\n\ndata: never ended\n')])).toEqual(['a\nb']);
  });

  it('are read no faster than they are taken, and the connection ends when they are left', async () => {
    const { body, state } = bodyOf(Array.from({ length: 9 }, (_, i) => new TextEncoder().encode(`data: ${i}\n\n`)));
    for await (const event of eventsOf(body)) if (event === '2') break;
    expect(state).toEqual({ cancelled: true, taken: 3 });
  });
});
