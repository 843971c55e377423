import type { Address } from '../native-memory.js';

/** What a step does; its operands are addresses, counts and ids. */
export const STEP = {
  /** (session, run options, binding): `RunWithBinding`. */
  run: 0,
  /** (to, from, bytes): to the device. */
  copyIn: 1,
  /** (to, from, bytes): from the device. */
  copyOut: 2,
  /** (): what was copied in has arrived. */
  arrived: 3,
  /** (address, bytes): locks pages for the device of the thread. */
  lock: 4,
  /** (address): unlocks them. */
  unlock: 5,
} as const;

/** Words of a step: what it does, and three operands. */
export const STEP_WORDS = 4;

export type RunStep = readonly [step: number, a?: number, b?: number, c?: number];

/** Bytes between a buffer of the lane and its twin on the device. */
export interface BufferPair {
  readonly host: Address;
  readonly device: Address;
  readonly bytes: number;
}

/**
 * One execution as a list of native calls, made one after the other by one thread: inputs to the device, the run, outputs
 * from it. Without pairs (the tensors lie in the lane's own memory) the run alone.
 */
export function runProgram(
  run: readonly [Address, Address, Address],
  inputs: readonly BufferPair[],
  outputs: readonly BufferPair[],
): Float64Array {
  const steps: RunStep[] = [
    ...inputs.map(({ device, host, bytes }): RunStep => [STEP.copyIn, device, host, bytes]),
    ...(inputs.length > 0 ? [[STEP.arrived] as const] : []),
    [STEP.run, ...run],
    ...outputs.map(({ device, host, bytes }): RunStep => [STEP.copyOut, host, device, bytes]),
  ];
  return programOf(steps);
}

/** Steps in the form in which a thread performs them. */
export function programOf(steps: readonly RunStep[]): Float64Array {
  const words = new Float64Array(1 + steps.length * STEP_WORDS);
  words[0] = steps.length;
  steps.forEach((step, i) => {
    words.set(step.map(Number), 1 + i * STEP_WORDS);
  });
  return words;
}
