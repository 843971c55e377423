import type { InferenceResponse, Parameters } from '../../core/index.js';

/** What became of a request on its way, as the names and values of headers or trailers, in turn. */
export function explained({ batchRows, latency, paddingShare, deviceNs, cost }: InferenceResponse): string[] {
  const inUs = (ns: number) => String(Math.round(ns / 1e3));
  const known = [
    'x-penstock-batch-size',
    String(batchRows),
    'x-penstock-queue-us',
    inUs(latency.queueNs),
    'x-penstock-compute-us',
    inUs(latency.dispatchNs + latency.computeNs),
    'x-penstock-padding-share',
    String(Math.round(paddingShare * 1e4) / 1e4),
  ];
  if (deviceNs !== undefined) known.push('x-penstock-device-ms', String(deviceNs / 1e6));
  if (cost !== undefined) known.push('x-penstock-cost', String(cost));
  return known;
}

/** Whether the request asked by its parameter what became of it on its way. */
export function isExplained({ parameters }: InferenceResponse): boolean {
  return parameters.penstock_batch_size !== undefined;
}

/** The parameters of an answer that has no headers of its own: they name the way it took. The mark's own object where there are no others. */
export function answerParameters({ parameters, mark }: InferenceResponse): Parameters {
  for (const _ in parameters) return { ...parameters, ...mark.parameters };
  return mark.parameters;
}

/** The value of `x-penstock-explain`, a header or metadata of the request. */
export function asksToExplain(value: unknown): boolean {
  return value === 'true' || value === '1';
}
