import type { OffloadTasks } from '../../../core/index.js';
import { attachTensors, type DetachedTensors, detachTensors } from '../detached-tensors.js';
import { decodeGenerateBody, type GenerateBody } from './generate-body.js';

/** A decoded body on its way between threads. */
export type DetachedGenerate = Omit<GenerateBody, 'inputs'> & DetachedTensors;

/** The worker's side of the `decodeGenerate` task. */
export function decodeGenerate({ body, inputs, batched }: OffloadTasks['decodeGenerate']['input']): DetachedGenerate {
  const { inputs: tensors, parameters, ...rest } = decodeGenerateBody(body, inputs, batched);
  return { ...rest, parameters: { ...parameters }, ...detachTensors(tensors) };
}

/** The socket thread's side. */
export function attachGenerate(detached: DetachedGenerate): GenerateBody {
  const { id, parameters, priority, timeoutUs } = detached;
  return { id, parameters, priority, timeoutUs, inputs: attachTensors(detached) };
}
