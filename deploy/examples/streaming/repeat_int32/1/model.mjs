import { setTimeout as wait } from 'node:timers/promises';

/** One response for each element of IN, in order; none where IN is empty. */
export async function* infer({ inputs, signal }) {
  const values = inputs.IN.data;
  const delays = inputs.DELAY.data;
  if (delays.length !== values.length)
    throw new Error(`expected as many DELAY as IN, got ${delays.length} and ${values.length}`);
  for (let i = 0; i < values.length; i++) {
    if (delays[i] > 0) await wait(delays[i], undefined, { signal });
    yield { OUT: Int32Array.of(values[i]), IDX: Uint32Array.of(i) };
  }
}
