import {
  CAPTURE_DROPS,
  type CaptureDrop,
  type Clock,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  type Parameters,
  type RouteMark,
  type Tensor,
  type WantedTraits,
} from '../core/index.js';
import { ByteRate } from './byte-rate.js';
import { type CapturedRow, type CapturedTensor, capturedBytes } from './captured-row.js';
import type { TapRule, TapRules } from './tap-rules.js';

/** What a tap stands before. */
interface Inference {
  readonly wanted?: WantedTraits | undefined;
  infer(request: InferenceRequest, reply: InferenceReply): InferenceHandle;
}

export interface CaptureTapOptions {
  readonly inference: Inference;
  readonly rules: TapRules;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly maxBytesPerSecond: number;
  /** Of rows that were sent and not taken yet. */
  readonly maxPendingBytes: number;
  /** Hands a row to the thread that writes it; its data are moved. */
  readonly send: (row: CapturedRow) => void;
  /** Where drops are counted, by place in `CAPTURE_DROPS`. */
  readonly drops: Float64Array;
}

/** What became of a request. */
interface Outcome {
  readonly response: InferenceResponse | undefined;
  readonly error: string | undefined;
  readonly mark: RouteMark | undefined;
  /** The part of those like it that is kept. */
  readonly share: number;
}

/**
 * Stands before the data path and keeps copies of sampled requests and answers. A request that is not drawn passes through
 * with a look into a table. A copy that would be too much is not made, and counted; no request ever waits for one.
 */
export class CaptureTap {
  readonly #options: CaptureTapOptions;
  readonly #rate: ByteRate;
  #rules: TapRules;
  #pendingBytes = 0;
  #wantedBefore: WantedTraits | undefined;
  #wanted: WantedTraits | undefined;

  constructor(options: CaptureTapOptions) {
    this.#options = options;
    this.#rate = new ByteRate(options.maxBytesPerSecond, options.clock.nowNs());
    this.#rules = options.rules;
    this.#wanted = this.#wantedWith(undefined);
  }

  /** What the data path wants to know of callers, and the rules. */
  get wanted(): WantedTraits | undefined {
    const { wanted } = this.#options.inference;
    if (this.#rules.headers.length === 0) return wanted;
    if (wanted !== this.#wantedBefore) {
      this.#wantedBefore = wanted;
      this.#wanted = this.#wantedWith(wanted);
    }
    return this.#wanted;
  }

  /** From the next request on. */
  follow(rules: TapRules): void {
    this.#rules = rules;
    this.#wanted = this.#wantedWith(this.#wantedBefore);
  }

  /** The thread that writes has taken so many bytes. */
  taken(bytes: number): void {
    this.#pendingBytes -= bytes;
  }

  infer(request: InferenceRequest, reply: InferenceReply): InferenceHandle {
    const { inference, random } = this.#options;
    const rule = this.#rules.of(request.model);
    if (rule === undefined) return inference.infer(request, reply);
    const drawn = rule.share < 1 ? random() : 0;
    if (drawn >= rule.errorShare) return inference.infer(request, reply);
    return inference.infer(request, this.#tapped(request, reply, rule, drawn < rule.share));
  }

  /** `answered`: whether it is kept where it is answered too. */
  #tapped(request: InferenceRequest, reply: InferenceReply, rule: TapRule, answered: boolean): InferenceReply {
    const { lease } = request;
    lease?.retain();
    return {
      // Of several responses the last one is kept.
      ...(reply.part && { part: (...part) => reply.part?.(...part) }),
      done: (...answer) => {
        const inputs = answered ? this.#inputs(request, rule) : [];
        reply.done(...answer);
        const [response] = answer;
        if (answered)
          this.#keep(request, rule, inputs, { response, error: undefined, mark: response.mark, share: rule.share });
        lease?.release();
      },
      failed: (...failure) => {
        const inputs = this.#inputs(request, rule);
        reply.failed(...failure);
        const [{ reason }, mark] = failure;
        this.#keep(request, rule, inputs, { response: undefined, error: reason, mark, share: rule.errorShare });
        lease?.release();
      },
    };
  }

  /** The answer goes out before anything is copied, but what the transport takes back with it. */
  #inputs(request: InferenceRequest, { request: kept, redact, maxBytes }: TapRule): readonly Kept[] {
    if (!kept) return [];
    const inputs = described(inputsOf(request), redact.dropInputs, redact.hashInputs);
    if (request.lease !== undefined || bytesOf(inputs) > maxBytes) return inputs;
    return inputs.map(({ tensor, described: as }) => ({
      tensor: as.bytes === 0 ? tensor : { ...tensor, data: new Uint8Array(tensor.data) },
      described: as,
    }));
  }

  #keep(
    request: InferenceRequest,
    rule: TapRule,
    all: readonly Kept[],
    { response, error, mark, share }: Outcome,
  ): void {
    const { clock, send, drops } = this.#options;
    const { redact, maxBytes, strips } = rule;
    let inputs = all;
    let outputs = rule.answer ? described(response?.outputs ?? [], redact.dropOutputs, []) : [];
    let parameters = rule.request ? masked(parametersOf(request), redact.maskParameters) : {};
    let headers = headersOf(request, rule);
    let textBytes = tensorTextBytes(inputs) + tensorTextBytes(outputs) + textsBytes(parameters) + textsBytes(headers);
    if (strips && capturedBytes(bytesOf(inputs) + bytesOf(outputs), textBytes) > maxBytes) {
      (drops[CAPTURE_DROPS.indexOf('too_large')] as number)++;
      inputs = inputs.map(stripped);
      outputs = outputs.map(stripped);
      if (textBytes > maxBytes) {
        [parameters, headers] = [{}, {}];
        textBytes = tensorTextBytes(inputs) + tensorTextBytes(outputs);
      }
    }
    const dataBytes = bytesOf(inputs) + bytesOf(outputs);
    const bytes = capturedBytes(dataBytes, textBytes);
    const nowNs = clock.nowNs();
    const why = this.#whyNot(bytes, strips ? Number.POSITIVE_INFINITY : maxBytes, nowNs);
    if (why !== undefined) {
      (drops[CAPTURE_DROPS.indexOf(why)] as number)++;
      return;
    }
    this.#pendingBytes += bytes;
    const data = new Uint8Array(dataBytes);
    let at = 0;
    for (const { tensor, described: as } of [...inputs, ...outputs]) {
      if (as.bytes > 0) data.set(tensor.data, at);
      at += as.bytes;
    }
    const { tenant } = this.#rules;
    const { trace } = request;
    send({
      atMs: clock.wallMs(),
      model: request.model,
      requestedVersion: request.version,
      version: response?.version.version ?? mark?.version,
      id: request.id,
      tenant: tenant === 'drop' ? '' : (request.tenantHeader ?? ''),
      hashTenant: tenant === 'hash',
      parameters,
      asked: request.outputs,
      latencyUs: (nowNs - request.receivedNs) / 1e3,
      error,
      route: mark?.route,
      sampleRate: share,
      traceparent: trace && `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`,
      headers,
      hashHeaders: redact.hashHeaders,
      batchRows: response?.batchRows,
      queueUs: response && response.latency.queueNs / 1e3,
      computeUs: response && response.latency.computeNs / 1e3,
      deviceUs: response?.deviceNs === undefined ? undefined : response.deviceNs / 1e3,
      cost: response?.cost,
      textBytes,
      withRequest: rule.request,
      withAnswer: rule.answer,
      inputs: inputs.map(({ described: as }) => as),
      outputs: outputs.map(({ described: as }) => as),
      data: data.buffer,
    });
  }

  /** Why a copy of so many bytes is not made; undefined: it is, and is counted against its bounds. */
  #whyNot(bytes: number, maxBytes: number, nowNs: number): CaptureDrop | undefined {
    if (bytes > maxBytes) return 'too_large';
    if (this.#pendingBytes + bytes > this.#options.maxPendingBytes) return 'busy';
    return this.#rate.take(bytes, nowNs) ? undefined : 'rate';
  }

  #wantedWith(wanted: WantedTraits | undefined): WantedTraits {
    const headers = [...new Set([...(wanted?.headers ?? []), ...this.#rules.headers])];
    return { headers, client: wanted?.client ?? false };
  }
}

/** The raw form of a request has one tensor without name and shape. */
function inputsOf({ inputs, rawInput }: InferenceRequest): readonly Tensor[] {
  if (rawInput === undefined) return inputs;
  return [{ name: '', dataType: 'UINT8', shape: [rawInput.byteLength], data: rawInput }];
}

interface Kept {
  readonly tensor: Tensor;
  readonly described: CapturedTensor;
}

function described(tensors: readonly Tensor[], dropped: readonly string[], hashed: readonly string[]): readonly Kept[] {
  return tensors.map((tensor) => {
    const { name, dataType: datatype, shape, data } = tensor;
    if (dropped.includes(name)) return { tensor, described: { name, datatype, shape, bytes: 0, redacted: 'dropped' } };
    const as = { name, datatype, shape, bytes: data.byteLength };
    return { tensor, described: hashed.includes(name) ? { ...as, redacted: 'hash' } : as };
  });
}

function stripped({ tensor, described: as }: Kept): Kept {
  return as.bytes === 0 ? { tensor, described: as } : { tensor, described: { ...as, bytes: 0, redacted: 'too_large' } };
}

function bytesOf(tensors: readonly Kept[]): number {
  return tensors.reduce((sum, { described: as }) => sum + as.bytes, 0);
}

/** What JSON has of a tensor beside its elements, about. */
const TENSOR_BYTES = 96;

function tensorTextBytes(tensors: readonly Kept[]): number {
  return tensors.reduce((sum, { described: as }) => sum + TENSOR_BYTES + as.name.length + 8 * as.shape.length, 0);
}

function textsBytes(texts: Readonly<Record<string, unknown>>): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(texts))
    bytes += 16 + name.length + (typeof value === 'string' ? 2 * value.length : 8);
  return bytes;
}

function masked(parameters: Parameters, names: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, names.includes(name) ? '***' : plain(value)]),
  );
}

/** JSON has no bigint. */
function plain(value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** Those that have fields of their own too, so that what is kept can be sent again. */
function parametersOf({ parameters, sequence }: InferenceRequest): Parameters {
  if (sequence === undefined) return parameters;
  return { ...parameters, sequence_id: sequence.id, sequence_start: sequence.start, sequence_end: sequence.end };
}

function headersOf({ caller }: InferenceRequest, { headers, redact }: TapRule): Readonly<Record<string, string>> {
  if (headers.length === 0 || caller === undefined) return NO_HEADERS;
  const kept: Record<string, string> = {};
  for (const name of headers) {
    const value = caller.headers[name];
    if (value !== undefined) kept[name] = redact.maskHeaders.includes(name) ? '***' : value;
  }
  return kept;
}
