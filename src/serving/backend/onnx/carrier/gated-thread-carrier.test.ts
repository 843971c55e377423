import { afterEach, describe, expect, it } from 'vitest';
import { callGate } from '../call-gate.js';
import { GatedThreadCarrier } from './gated-thread-carrier.js';
import type { RunCall } from './run-call.js';
import type { RunThread } from './run-thread.js';

/** A run thread that a test plays, and the lane behind its runs. */
function rig() {
  const asked: RunCall[] = [];
  const thread = {
    run: (call: RunCall) => void asked.push(call),
    withdraw: (call: RunCall) => asked.includes(call) && asked.splice(asked.indexOf(call), 1).length === 1,
  } as unknown as RunThread;
  const told: string[] = [];
  const lane: RunCall = {
    values: new Float64Array(8),
    begun: () => told.push('begun'),
    returned: (_, status, computeNs) => told.push(`returned ${status} ${computeNs}`),
  };
  return { asked, told, lane, carrier: new GatedThreadCarrier(lane, () => thread) };
}

describe('runs of a GPU on a thread', () => {
  afterEach(() => expect([callGate.inFlight, callGate.waiting]).toEqual([0, 0]));

  it('count as in flight until they have returned', () => {
    const { asked, told, lane, carrier } = rig();
    carrier.start();
    expect([callGate.inFlight, asked.length]).toEqual([1, 1]);
    asked[0]?.begun();
    expect(asked[0]?.values).toBe(lane.values);
    asked[0]?.returned(undefined, 7, 5);
    expect(told).toEqual(['begun', 'returned 7 5']);
  });

  it('wait while a graph is captured', async () => {
    const { asked, carrier } = rig();
    let captured: () => void = () => {};
    const alone = callGate.alone(
      () =>
        new Promise<void>((resolve) => {
          captured = resolve;
        }),
      1000,
    );
    await Promise.resolve();
    carrier.start();
    expect(asked).toHaveLength(0);
    captured();
    await alone;
    expect(asked).toHaveLength(1);
    asked[0]?.returned(undefined, 0, 0);
  });

  it('can be taken back where they wait, at the gate or for the thread, and not once they run', async () => {
    const { asked, carrier } = rig();
    carrier.start();
    expect(carrier.withdraw()).toBe(true);
    expect(carrier.withdraw()).toBe(false);

    let captured: () => void = () => {};
    const alone = callGate.alone(
      () =>
        new Promise<void>((resolve) => {
          captured = resolve;
        }),
      1000,
    );
    await Promise.resolve();
    carrier.start();
    expect(carrier.withdraw()).toBe(true);
    captured();
    await alone;
    expect(asked).toHaveLength(0);
  });
});
