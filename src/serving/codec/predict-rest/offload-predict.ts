import type { OffloadTasks } from '../../../core/index.js';
import { attachTensors, type DetachedTensors, detachTensors } from '../detached-tensors.js';
import { decodeExamplesBody } from './examples-body.js';
import { decodePredictBody, type PredictBody } from './predict-body.js';

/** A decoded body on its way between threads; `other`: it is none of this form, and comes back. */
export type DetachedPredict =
  | (DetachedTensors & Pick<PredictBody, 'kind'>)
  | { readonly kind: 'other'; readonly body: Uint8Array };

type PredictInput = OffloadTasks['decodePredict']['input'];

/** A body of `:predict` as it says itself, of `:classify` and `:regress` (`examples`) as rows. Throws as their decoders. */
export function decodePredictInput({
  body,
  method,
  inputs,
  batched,
  signature,
}: PredictInput): PredictBody | undefined {
  if (method === 'predict') return decodePredictBody(body, inputs, batched, signature);
  return { kind: 'rows', inputs: decodeExamplesBody(body, inputs, batched, signature) };
}

/** The worker's side of the `decodePredict` task. */
export function decodePredict(input: PredictInput): DetachedPredict {
  const decoded = decodePredictInput(input);
  return decoded === undefined
    ? { kind: 'other', body: input.body }
    : { kind: decoded.kind, ...detachTensors(decoded.inputs) };
}

/** The socket thread's side. */
export function attachPredict(detached: Exclude<DetachedPredict, { readonly kind: 'other' }>): PredictBody {
  return { kind: detached.kind, inputs: attachTensors(detached) };
}
