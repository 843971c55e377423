import type { OffloadTasks, OutputRequest, Parameters, SequencePart } from '../../../core/index.js';
import { attachTensors, type DetachedTensors, detachTensors } from '../detached-tensors.js';
import type { RequestContext } from '../request-parts.js';
import { decodeBody } from './infer-body.js';
import { type DecodedRequest, requestOf } from './infer-request.js';

/**
 * From this many bytes of JSON text a body is worth a worker thread. Measured (Node 20.20, 2 shared cores): decoding takes
 * about 1 ns a byte of decimals and 2.5 of small integers, so 256 KiB hold the event loop 0.3 to 0.7 ms; the hop to a worker
 * and back, both buffers transferred, holds it 0.03 to 0.1 ms and takes 1.9 ms in all. Below, the request itself loses more
 * than the loop gains.
 */
export const OFFLOAD_JSON_BYTES = 256 * 1024;

/** A decoded body that can be posted between threads: plain data, and one buffer to be transferred. */
export interface DetachedBody extends DetachedTensors {
  readonly modelName: string | undefined;
  readonly id: string;
  readonly outputs: readonly OutputRequest[];
  readonly parameters: readonly (readonly [string, Parameters[string]])[];
  readonly priority: number;
  readonly timeoutUs: number;
  readonly sequence: SequencePart | undefined;
  readonly binary: boolean;
  readonly byName: readonly (readonly [string, boolean])[] | undefined;
}

/**
 * The worker's side of the `decodeV2Json` task: `decodeBody` with its tensors in one buffer. Throws what
 * `decodeInferBody` throws.
 */
export function decodeV2Json({ body, ...options }: OffloadTasks['decodeV2Json']['input']): DetachedBody {
  const decoded = decodeBody(body, options);
  return {
    modelName: decoded.modelName,
    id: decoded.id,
    outputs: decoded.outputs,
    parameters: Object.entries(decoded.parameters),
    priority: decoded.priority,
    timeoutUs: decoded.timeoutUs,
    sequence: decoded.sequence,
    binary: decoded.format.binary,
    byName: decoded.format.byName === undefined ? undefined : [...decoded.format.byName],
    ...detachTensors(decoded.inputs),
  };
}

/** The socket thread's side: the same request and format `decodeInferBody` would have given. */
export function attachV2Json(detached: DetachedBody, context: RequestContext): DecodedRequest {
  const { binary, byName } = detached;
  const parameters = Object.create(null) as Record<string, Parameters[string]>;
  for (const [name, value] of detached.parameters) parameters[name] = value;
  return requestOf(
    {
      modelName: detached.modelName,
      id: detached.id,
      inputs: attachTensors(detached),
      outputs: detached.outputs,
      parameters,
      priority: detached.priority,
      timeoutUs: detached.timeoutUs,
      sequence: detached.sequence,
      format: { binary, byName: byName === undefined ? undefined : new Map(byName) },
    },
    context,
  );
}
