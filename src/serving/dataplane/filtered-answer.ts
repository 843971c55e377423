import type { Clock, InferenceRequest, InferenceResponse, RouteMark, Tensor, TensorSpec } from '../../core/index.js';
import type { PickedOutput } from './admission.js';
import { classify } from './classification.js';
import type { ServedVersion } from './served-version.js';

/**
 * The answer that a filter gives in the place of the model. The request is checked as if it went there (throws as `admit`);
 * outputs that are not asked for, or that the filter does not name, are left out. Memory of its own.
 */
export function filteredAnswer(
  request: InferenceRequest,
  served: ServedVersion,
  outputs: readonly Tensor[],
  mark: RouteMark,
  clock: Clock,
): InferenceResponse {
  const { spec } = served;
  const admitted = served.admission.admit(request);
  const batched = spec.maxBatchSize > 0;
  const asked: readonly PickedOutput[] =
    admitted.outputs ?? spec.outputs.map((_, index) => ({ index, classification: 0 }));
  const given = asked.flatMap(({ index, classification }) => {
    const output = spec.outputs[index] as TensorSpec;
    const row = outputs.find(({ name }) => name === output.name);
    if (row === undefined) return [];
    const tensor = batched ? repeated(row, admitted.member.rows) : row;
    return [classification === 0 ? tensor : classify(tensor, output, classification, batched)];
  });
  const decodeNs = request.decodedNs - request.receivedNs;
  return {
    version: spec.id,
    id: request.id,
    outputs: given,
    parameters: mark.parameters,
    latency: {
      decodeNs,
      queueNs: 0,
      gatherNs: 0,
      dispatchNs: 0,
      computeNs: 0,
      scatterNs: clock.nowNs() - request.decodedNs,
      encodeNs: 0,
    },
    batchRows: batched ? admitted.member.rows : 0,
    paddingShare: 0,
    mark,
  };
}

function repeated({ name, dataType, shape, data }: Tensor, rows: number): Tensor {
  const all = new Uint8Array(rows * data.byteLength);
  for (let row = 0; row < rows; row++) all.set(data, row * data.byteLength);
  return { name, dataType, shape: [rows, ...shape], data: all };
}
