import { randomUUID } from 'node:crypto';
import type { StoredRow } from '../captured-row.js';
import { tensorsJson } from './v2-json.js';

/** A CloudEvent 1.0 of one half of an inference, as KServe's logger sends them. */
export interface InferenceEvent {
  /** Id, source, type, time and extensions by name, as texts. */
  readonly attributes: Readonly<Record<string, string>>;
  /** JSON text of the protocol's request or answer. */
  readonly data: string;
}

export interface EventSettings {
  /** `source` of the events, a URI. */
  readonly source: string;
  readonly namespace: string;
}

/** Types of KServe's logger, which receivers of it know (github.com/kserve/kserve, pkg/logger). */
const REQUEST = 'org.kubeflow.serving.inference.request';
const RESPONSE = 'org.kubeflow.serving.inference.response';

/** The events of a row: its request and its answer, with one id, that of the request or one drawn for them. */
export function eventsOf(row: StoredRow, { source, namespace }: EventSettings): InferenceEvent[] {
  const id = row.id === '' ? randomUUID() : row.id;
  const common = {
    specversion: '1.0',
    id,
    source,
    time: new Date(row.atMs).toISOString(),
    datacontenttype: 'application/json',
    inferenceservicename: row.model,
    namespace,
    component: 'predictor',
    endpoint: '',
    samplerate: String(row.sampleRate),
    ...(row.version === undefined ? {} : { modelversion: String(row.version) }),
    ...(row.route === undefined ? {} : { route: row.route }),
    ...(row.tenant === '' ? {} : { tenant: row.tenant }),
    ...(row.traceparent === undefined ? {} : { traceparent: row.traceparent }),
    ...(Object.keys(row.headers).length === 0 ? {} : { metadata: JSON.stringify(row.headers) }),
  };
  const events: InferenceEvent[] = [];
  if (row.withRequest) events.push({ attributes: { ...common, type: REQUEST }, data: requestJson(row) });
  const answer = { attributes: { ...common, ...answerAttributes(row), type: RESPONSE }, data: answerJson(row) };
  // Where neither half is kept, its figures are.
  if (row.withAnswer || !row.withRequest) events.push(answer);
  return events;
}

function answerAttributes(row: StoredRow): Record<string, string> {
  const { latencyUs, batchRows, queueUs, computeUs, deviceUs, cost, error } = row;
  const figures = {
    latencyus: latencyUs,
    batchrows: batchRows,
    queueus: queueUs,
    computeus: computeUs,
    deviceus: deviceUs,
    cost,
  };
  const known = Object.entries(figures).filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(known.map(([name, value]) => [name, String(value)])),
    ...(error === undefined ? {} : { reason: error }),
  };
}

function requestJson({ id, parameters, inputs, inputData, asked }: StoredRow): string {
  const parts = [`"id":${JSON.stringify(id)}`];
  if (Object.keys(parameters).length > 0) parts.push(`"parameters":${JSON.stringify(parameters)}`);
  parts.push(`"inputs":${tensorsJson(inputs, inputData)}`);
  if (asked.length > 0) {
    const outputs = asked.map(({ name, classification }) =>
      classification === 0 ? { name } : { name, parameters: { classification } },
    );
    parts.push(`"outputs":${JSON.stringify(outputs)}`);
  }
  return `{${parts.join(',')}}`;
}

function answerJson({ id, model, version, error, outputs, outputData }: StoredRow): string {
  if (error !== undefined) return JSON.stringify({ id, error });
  const head = `"model_name":${JSON.stringify(model)},"model_version":"${version}","id":${JSON.stringify(id)}`;
  return `{${head},"outputs":${tensorsJson(outputs, outputData)}}`;
}

/** In structured mode: attributes and data in one JSON object. */
export function structuredText({ attributes, data }: InferenceEvent): string {
  return `${JSON.stringify(attributes).slice(0, -1)},"data":${data}}`;
}

/** In binary mode: attributes as headers, escaped as the HTTP binding says; the content type has a header of its own. */
export function binaryHeaders({ attributes }: InferenceEvent): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  for (const [name, value] of Object.entries(attributes))
    if (name !== 'datacontenttype') headers[`ce-${name}`] = value.replaceAll(/[^!#$&-~]+/g, percentEncoded);
  return headers;
}

/** In binary mode of Kafka: UTF-8 as it is. */
export function kafkaHeaders({ attributes }: InferenceEvent): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  for (const [name, value] of Object.entries(attributes)) if (name !== 'datacontenttype') headers[`ce_${name}`] = value;
  return headers;
}

function percentEncoded(text: string): string {
  return Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}
