import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import type { Tensor } from '../../core/index.js';
import { ResponseReceiver, ResponseSender } from './response-lines.js';

const open: { close(): void }[] = [];
afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

function lines() {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  return { control: new ResponseSender(port1), ingress: new ResponseReceiver(port2) };
}

const tensor = (value: number): Tensor => ({ name: 'y', dataType: 'UINT8', shape: [1], data: Uint8Array.of(value) });
/** All that is on its way between the ports has come. */
const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

function reader() {
  const values: number[] = [];
  const taken: (() => void)[] = [];
  const sink = {
    part: ([y]: readonly Tensor[], take: () => void) => {
      values.push(y?.data[0] as number);
      taken.push(take);
    },
  };
  return { values, taken, sink };
}

describe('responses of a decoupled model between threads', () => {
  it('come in order, and what was taken is told back', async () => {
    const { control, ingress } = lines();
    const { values, taken, sink } = reader();
    ingress.begin(3, sink);
    const out = control.begin(3);
    const told: number[] = [];
    for (let i = 0; i < 5; i++) out.part([tensor(i)], () => told.push(i));
    await settled();
    expect([values, told]).toEqual([[0, 1, 2, 3, 4], []]);
    taken[0]?.();
    taken[1]?.();
    await settled();
    expect(told).toEqual([0, 1]);
  });

  it('leave the memory that they came in to whoever computes', async () => {
    const { control, ingress } = lines();
    const { values, sink } = reader();
    ingress.begin(0, sink);
    const out = control.begin(0);
    const lent = tensor(7);
    out.part([lent], () => {});
    lent.data.fill(0);
    await settled();
    expect(values).toEqual([7]);
  });

  it('are all there before the last one, which comes by another way', () => {
    const { control, ingress } = lines();
    const { values, sink } = reader();
    ingress.begin(1, sink);
    const out = control.begin(1);
    for (let i = 0; i < 9; i++) out.part([tensor(i)], () => {});
    control.end(1);
    ingress.end(1);
    expect(values).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('meet no later call of the same row, in either direction', async () => {
    const { control, ingress } = lines();
    const [first, second] = [reader(), reader()];
    ingress.begin(2, first.sink);
    const late = control.begin(2);
    const told: string[] = [];
    late.part([tensor(1)], () => told.push('first'));
    await settled();
    control.end(2);
    ingress.end(2);
    late.part([tensor(2)], () => told.push('first, late'));
    ingress.begin(2, second.sink);
    control.begin(2).part([tensor(3)], () => told.push('second'));
    await settled();
    first.taken[0]?.();
    await settled();
    expect([first.values, second.values, told]).toEqual([[1], [3], []]);
    second.taken[0]?.();
    await settled();
    expect(told).toEqual(['second']);
  });

  it('that nobody wants are dropped', async () => {
    const { control, ingress } = lines();
    ingress.begin(0, undefined);
    control.begin(0).part([tensor(1)], () => {});
    await settled();
    ingress.end(0);
  });
});
