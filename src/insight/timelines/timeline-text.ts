import { bitsToFloat, bytesElements, halfToNumber, type Tensor, typedView } from '../../core/index.js';
import type { WatchedRequest } from '../traces/watched-request.js';

/** A tensor of more elements is named without them. */
const MOST_ELEMENTS = 65_536;

/** Triton's names of the two ends of a request on the wire. */
const WIRE = {
  http: ['HTTP_RECV_START', 'HTTP_RECV_END', 'HTTP_SEND_START', 'HTTP_SEND_END'],
  grpc: ['GRPC_WAITREAD_START', 'GRPC_WAITREAD_END', 'GRPC_SEND_START', 'GRPC_SEND_END'],
} as const;

/** Which request it is: the object that Triton writes when a trace begins. */
export function detailsText(id: number, { model, told }: WatchedRequest): string {
  const { request, mark } = told;
  return JSON.stringify({
    id,
    model_name: model,
    model_version: mark?.version ?? request?.version ?? -1,
    ...(request === undefined || request.id === '' ? {} : { request_id: request.id }),
  });
}

/** When it was where, an object each, in the order of time, each with a comma before it. */
export function timestampsText(id: number, { protocol, receivedNs, told }: WatchedRequest, endedNs: number): string {
  const { request, run, response, enqueuedNs, answeredNs } = told;
  const [receiveStart, receiveEnd, sendStart, sendEnd] =
    WIRE[protocol === 'grpc' || protocol === 'grpc_stream' ? 'grpc' : 'http'];
  const times: [name: string, ns: number][] = [[receiveStart, receivedNs]];
  if (request !== undefined) times.push([receiveEnd, request.decodedNs], ['REQUEST_START', request.decodedNs]);
  if (enqueuedNs > 0) times.push(['QUEUE_START', enqueuedNs]);
  if (run !== undefined) {
    const computedNs = run.batchFinishedNs - run.computeNs - run.dispatchNs;
    times.push(
      ['COMPUTE_START', computedNs - run.gatherNs],
      ['COMPUTE_INPUT_END', computedNs],
      ['COMPUTE_OUTPUT_START', run.batchFinishedNs],
      ['COMPUTE_END', Math.min(run.batchFinishedNs + (response?.latency.scatterNs ?? 0), answeredNs)],
      ['INFER_RESPONSE_COMPLETE', answeredNs],
    );
  }
  times.push(['REQUEST_END', answeredNs], [sendStart, answeredNs], [sendEnd, endedNs]);
  let text = '';
  for (const [name, ns] of times) text += `,{"id":${id},"timestamps":[{"name":"${name}","ns":${Math.round(ns)}}]}`;
  return text;
}

/** One tensor, as `TENSORS` has it. */
export function tensorText(id: number, activity: string, { name, dataType, shape, data }: Tensor): string {
  const tensor = { name, data: dataText(dataType, shape, data), shape: shape.join(','), dtype: dataType };
  return JSON.stringify({ id, activity, tensor });
}

function dataText(dataType: Tensor['dataType'], shape: readonly number[], data: Uint8Array): string {
  if (shape.reduce((count, dim) => count * dim, 1) > MOST_ELEMENTS) return '';
  if (dataType === 'BYTES') {
    return bytesElements(data)
      .map((element) => `"${Buffer.from(element.buffer, element.byteOffset, element.byteLength).toString()}"`)
      .join(',');
  }
  const elements = Array.from(typedView(dataType, data) as ArrayLike<number | bigint>);
  if (dataType === 'FP16') return elements.map((bits) => halfToNumber(Number(bits))).join(',');
  if (dataType === 'BF16') return elements.map((bits) => bitsToFloat(Number(bits) << 16)).join(',');
  return elements.join(',');
}
