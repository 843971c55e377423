import {
  CAPTURE_DROPS,
  type CaptureDrop,
  type CaptureRedaction,
  type CaptureRules,
  type Clock,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  type Parameters,
  type Tensor,
  type WantedTraits,
} from '../core/index.js';
import { ByteRate } from './byte-rate.js';
import { type CapturedRow, type CapturedTensor, ROW_BYTES } from './captured-row.js';

/** What a tap stands before. */
interface Inference {
  readonly wanted?: WantedTraits | undefined;
  infer(request: InferenceRequest, reply: InferenceReply): InferenceHandle;
}

export interface CaptureTapOptions {
  readonly inference: Inference;
  readonly rules: CaptureRules;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** Larger requests, with their answers, are not captured. */
  readonly maxRequestBytes: number;
  readonly maxBytesPerSecond: number;
  /** Of rows that were sent and not taken yet. */
  readonly maxPendingBytes: number;
  /** Hands a row to the thread that writes it; its data are moved. */
  readonly send: (row: CapturedRow) => void;
  /** Where drops are counted, by place in `CAPTURE_DROPS`. */
  readonly drops: Float64Array;
}

const NOTHING_LEFT_OUT: CaptureRedaction = { dropInputs: [], hashInputs: [], dropOutputs: [], maskParameters: [] };

/**
 * Stands before the data path and keeps copies of sampled requests and answers. A request that is not drawn passes through
 * with a look into a table. A copy that would be too much is not made, and counted; no request ever waits for one.
 */
export class CaptureTap {
  readonly #options: CaptureTapOptions;
  readonly #rate: ByteRate;
  #rules: CaptureRules;
  #share: ReadonlyMap<string, number>;
  #pendingBytes = 0;

  constructor(options: CaptureTapOptions) {
    this.#options = options;
    this.#rate = new ByteRate(options.maxBytesPerSecond, options.clock.nowNs());
    this.#rules = options.rules;
    this.#share = sharesOf(options.rules);
  }

  /** What the data path wants to know of callers. */
  get wanted(): WantedTraits | undefined {
    return this.#options.inference.wanted;
  }

  /** From the next request on. */
  follow(rules: CaptureRules): void {
    this.#rules = rules;
    this.#share = sharesOf(rules);
  }

  /** The thread that writes has taken so many bytes. */
  taken(bytes: number): void {
    this.#pendingBytes -= bytes;
  }

  infer(request: InferenceRequest, reply: InferenceReply): InferenceHandle {
    const { inference, random } = this.#options;
    const share = this.#share.size === 0 ? 0 : (this.#share.get(request.model) ?? this.#share.get('*') ?? 0);
    if (share === 0 || (share < 1 && random() >= share)) return inference.infer(request, reply);
    return inference.infer(request, this.#tapped(request, reply));
  }

  #tapped(request: InferenceRequest, reply: InferenceReply): InferenceReply {
    const redaction = this.#rules.redact[request.model] ?? this.#rules.redact['*'] ?? NOTHING_LEFT_OUT;
    const { lease } = request;
    lease?.retain();
    return {
      done: (...answer) => {
        const inputs = this.#inputs(request, redaction);
        reply.done(...answer);
        this.#keep(request, redaction, inputs, answer[0], undefined);
        lease?.release();
      },
      failed: (...failure) => {
        const inputs = this.#inputs(request, redaction);
        reply.failed(...failure);
        this.#keep(request, redaction, inputs, undefined, failure[0].reason);
        lease?.release();
      },
    };
  }

  /** The answer goes out before anything is copied, but what the transport takes back with it. */
  #inputs(request: InferenceRequest, { dropInputs, hashInputs }: CaptureRedaction): readonly Kept[] {
    const inputs = kept(inputsOf(request), dropInputs, hashInputs);
    if (request.lease !== undefined || bytesOf(inputs) > this.#options.maxRequestBytes) return inputs;
    return inputs.map(({ tensor, described }) => ({
      tensor: described.bytes === 0 ? tensor : { ...tensor, data: new Uint8Array(tensor.data) },
      described,
    }));
  }

  #keep(
    request: InferenceRequest,
    redaction: CaptureRedaction,
    inputs: readonly Kept[],
    response: InferenceResponse | undefined,
    error: string | undefined,
  ): void {
    const { clock, send, drops } = this.#options;
    const outputs = kept(response?.outputs ?? [], redaction.dropOutputs, []);
    const dataBytes = bytesOf(inputs) + bytesOf(outputs);
    const bytes = dataBytes + ROW_BYTES;
    const nowNs = clock.nowNs();
    const why = this.#whyNot(bytes, nowNs);
    if (why !== undefined) {
      (drops[CAPTURE_DROPS.indexOf(why)] as number)++;
      return;
    }
    this.#pendingBytes += bytes;
    const data = new Uint8Array(dataBytes);
    let at = 0;
    for (const { tensor, described } of [...inputs, ...outputs]) {
      if (described.bytes > 0) data.set(tensor.data, at);
      at += described.bytes;
    }
    const { tenant } = this.#rules;
    send({
      atMs: clock.wallMs(),
      model: request.model,
      requestedVersion: request.version,
      version: response?.version.version,
      id: request.id,
      tenant: tenant === 'drop' ? '' : (request.tenantHeader ?? ''),
      hashTenant: tenant === 'hash',
      parameters: masked(request.parameters, redaction.maskParameters),
      asked: request.outputs,
      latencyUs: (nowNs - request.receivedNs) / 1e3,
      error,
      inputs: inputs.map(({ described }) => described),
      outputs: outputs.map(({ described }) => described),
      data: data.buffer,
    });
  }

  /** Why a copy of so many bytes is not made; undefined: it is, and is counted against its bounds. */
  #whyNot(bytes: number, nowNs: number): CaptureDrop | undefined {
    const { maxRequestBytes, maxPendingBytes } = this.#options;
    if (bytes > maxRequestBytes) return 'too_large';
    if (this.#pendingBytes + bytes > maxPendingBytes) return 'busy';
    return this.#rate.take(bytes, nowNs) ? undefined : 'rate';
  }
}

/** Models and their parts of the requests; empty where nothing is captured. */
function sharesOf({ percent }: CaptureRules): ReadonlyMap<string, number> {
  const shares = Object.entries(percent).map(([model, value]) => [model, value / 100] as const);
  return shares.every(([, share]) => share === 0) ? new Map() : new Map(shares);
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

function kept(tensors: readonly Tensor[], dropped: readonly string[], hashed: readonly string[]): readonly Kept[] {
  return tensors.map((tensor) => {
    const { name, dataType: datatype, shape, data } = tensor;
    if (dropped.includes(name)) return { tensor, described: { name, datatype, shape, bytes: 0, redacted: 'dropped' } };
    const described = { name, datatype, shape, bytes: data.byteLength };
    return { tensor, described: hashed.includes(name) ? { ...described, redacted: 'hash' } : described };
  });
}

function bytesOf(tensors: readonly Kept[]): number {
  return tensors.reduce((sum, { described }) => sum + described.bytes, 0);
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
