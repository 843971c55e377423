import type { OffloadTasks } from '../../../core/index.js';
import { attachTensors, type DetachedTensors, detachTensors } from '../detached-tensors.js';
import { decodePredictBody, type PredictBody } from './predict-body.js';

/** A decoded body of `:predict` on its way between threads; undefined: the body is none of this form. */
export type DetachedPredict = (DetachedTensors & Pick<PredictBody, 'kind'>) | undefined;

/** The worker's side of the `decodePredict` task. Throws as `decodePredictBody`. */
export function decodePredict({ body, inputs }: OffloadTasks['decodePredict']['input']): DetachedPredict {
  const decoded = decodePredictBody(body, inputs);
  return decoded && { kind: decoded.kind, ...detachTensors(decoded.inputs) };
}

/** The socket thread's side. */
export function attachPredict(detached: DetachedPredict): PredictBody | undefined {
  return detached && { kind: detached.kind, inputs: attachTensors(detached) };
}
