import type { ModelMetadata } from '../client/index.js';
import { type DataType, isDataType, type LatencySketchObject, type Tensor } from '../core/index.js';
import { CliError } from './exit-codes.js';
import { gatewayFetch, unreachable } from './gateway-fetch.js';

/** The part of `GET /v2/models/NAME/scheduler` that the commands read. */
export interface SchedulerFacts {
  readonly version: string;
  readonly slo_ms: number;
  readonly slots: number;
  /** Absent while nothing is known. */
  readonly curve?: {
    readonly rows: readonly number[];
    readonly mean_ms: readonly number[];
    readonly upper_ms: readonly number[];
  };
}

/** Of `GET /v2/models/NAME/latency?sketch=json`, one version. */
export interface VersionLatencyFacts {
  readonly version: string;
  readonly count: number;
  readonly mean_ms?: number;
  readonly max_ms?: number;
  /** Absent where the version never answered. */
  readonly sketch?: LatencySketchObject;
}

/** Of `GET /v2/slo`. */
export interface SloFacts {
  readonly name: string;
  readonly promise: string;
  readonly state: string;
  readonly missing?: string;
  readonly target: number;
  readonly window_days: number;
  readonly events: number;
  readonly bad: number;
  readonly error_budget_remaining: number;
  readonly burn_rates: Readonly<Record<string, number>>;
}

/** What became of the feedback of one call; `item` is its place in the call, from 0. */
export interface FeedbackSums {
  accepted: number;
  unknown: number;
  duplicate: number;
  late: number;
  refused: number;
  errors: readonly { readonly item: number; readonly error: string }[];
}

/** What a gateway captures, as its admin API says it. */
export interface CaptureState {
  readonly folder?: string;
  readonly percent: Readonly<Record<string, number>>;
  readonly figures: {
    readonly written: number;
    readonly files: number;
    readonly bytes: number;
    readonly dropped: Readonly<Record<string, number>>;
  };
}

/** An output that a request asks for; classification 0 = the tensor itself. */
export interface AskedOutput {
  readonly name: string;
  readonly classification: number;
}

/** What a request says beside its inputs. */
export interface InferExtras {
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Empty = all outputs. */
  readonly asked?: readonly AskedOutput[];
}

export interface Answer {
  readonly model: string;
  readonly version: string;
  readonly outputs: readonly Tensor[];
}

interface AnswerOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters?: { readonly binary_data_size?: number };
}

/** The few calls of the V2 protocol that the commands make, over HTTP. Failures are `CliError`s. */
export class V2Client {
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #token: string | undefined;

  constructor(url: string, timeoutMs = 60_000, token?: string) {
    this.#token = token;
    this.#url = (/^https?:\/\//.test(url) ? url : `http://${url}`).replace(/\/+$/, '');
    this.#timeoutMs = timeoutMs;
  }

  async metadata(model: string, version: string | undefined): Promise<ModelMetadata> {
    return (await (await this.#call('GET', pathOf(model, version))).json()) as ModelMetadata;
  }

  /** The repository index. */
  async index(): Promise<readonly { name: string; version?: string; state?: string; reason?: string }[]> {
    const reply = await this.#call('POST', '/v2/repository/index', Buffer.from('{}'));
    return (await reply.json()) as { name: string }[];
  }

  /** What the scheduler of a version knows and does, as Penstock tells it. */
  async scheduler(model: string, version: string | undefined): Promise<SchedulerFacts> {
    return (await (await this.#call('GET', `${pathOf(model, version)}/scheduler`)).json()) as SchedulerFacts;
  }

  /** How long requests took, by version that is ready, with the sketches. */
  async latency(model: string): Promise<readonly VersionLatencyFacts[]> {
    const reply = await this.#call('GET', `${pathOf(model, undefined)}/latency?sketch=json`);
    return ((await reply.json()) as { versions: VersionLatencyFacts[] }).versions;
  }

  /** How the SLOs stand. */
  async slos(): Promise<{ readonly since_ms: number; readonly slos: readonly SloFacts[] }> {
    return (await (await this.#call('GET', '/v2/slo')).json()) as { since_ms: number; slos: SloFacts[] };
  }

  async ready(): Promise<boolean> {
    const reply = await this.#call('GET', '/v2/health/ready', undefined, {}, true);
    return reply.ok;
  }

  /** Items of feedback, a JSON object a line. */
  async feedback(lines: string): Promise<FeedbackSums> {
    const headers = { 'content-type': 'application/x-ndjson' };
    return (await (await this.#call('POST', '/v2/feedback', Buffer.from(lines), headers)).json()) as FeedbackSums;
  }

  /** What is captured; of the admin API. */
  async capture(): Promise<CaptureState> {
    return (await (await this.#call('GET', '/v2/admin/capture')).json()) as CaptureState;
  }

  async setCapture(model: string, percent: number): Promise<CaptureState> {
    const body = Buffer.from(JSON.stringify({ percent }));
    const path = `/v2/admin/capture/${encodeURIComponent(model)}`;
    return (await (await this.#call('PUT', path, body)).json()) as CaptureState;
  }

  /** One inference, tensors as raw bytes both ways. */
  async infer(
    model: string,
    version: string | undefined,
    inputs: readonly Tensor[],
    { parameters = {}, asked = [] }: InferExtras = {},
  ): Promise<Answer> {
    const head = {
      inputs: inputs.map(({ name, shape, dataType, data }) => ({
        name,
        shape,
        datatype: dataType,
        parameters: { binary_data_size: data.byteLength },
      })),
      parameters: { ...parameters, binary_data_output: true },
      ...(asked.length === 0 ? {} : { outputs: asked.map(askedOutput) }),
    };
    const json = Buffer.from(JSON.stringify(head));
    const reply = await this.#call(
      'POST',
      `${pathOf(model, version)}/infer`,
      Buffer.concat([json, ...inputs.map(({ data }) => data)]),
      {
        'content-type': 'application/octet-stream',
        'inference-header-content-length': String(json.byteLength),
      },
    );
    return readAnswer(Buffer.from(await reply.arrayBuffer()), reply.headers.get('inference-header-content-length'));
  }

  async #call(
    method: string,
    path: string,
    body?: Uint8Array,
    headers: Record<string, string> = {},
    anyStatus = false,
  ): Promise<Response> {
    let reply: Response;
    try {
      reply = await gatewayFetch(this.#url + path, {
        method,
        headers: this.#token === undefined ? headers : { ...headers, authorization: `Bearer ${this.#token}` },
        signal: AbortSignal.timeout(this.#timeoutMs),
        ...(body === undefined ? {} : { body: new Uint8Array(body) }),
      });
    } catch (thrown) {
      throw unreachable(this.#url, thrown, 'gateway', 'start one with penstock serve, or give its address with --url');
    }
    if (!reply.ok && !anyStatus) throw new CliError(`${this.#url} refuses: ${await messageOf(reply)}`);
    return reply;
  }
}

function askedOutput({ name, classification }: AskedOutput): object {
  const parameters = classification > 0 ? { classification } : {};
  return { name, parameters: { ...parameters, binary_data: true } };
}

function pathOf(model: string, version: string | undefined): string {
  return `/v2/models/${encodeURIComponent(model)}${version === undefined ? '' : `/versions/${encodeURIComponent(version)}`}`;
}

async function messageOf(reply: Response): Promise<string> {
  const text = await reply.text();
  try {
    return String((JSON.parse(text) as { error?: unknown }).error ?? text);
  } catch {
    return text.trim() === '' ? `status ${reply.status}` : `status ${reply.status}: ${text.trim().slice(0, 200)}`;
  }
}

/** The tensors of a reply with binary outputs. */
function readAnswer(body: Buffer, headerLength: string | null): Answer {
  const jsonBytes = headerLength === null ? body.byteLength : Number(headerLength);
  const head = JSON.parse(body.toString('utf8', 0, jsonBytes)) as {
    model_name: string;
    model_version?: string;
    outputs: AnswerOutput[];
  };
  let at = jsonBytes;
  const outputs = head.outputs.map(({ name, datatype, shape, parameters }) => {
    const size = parameters?.binary_data_size;
    if (size === undefined || !isDataType(datatype) || at + size > body.byteLength)
      throw new CliError(`the answer's output '${name}' is not in the binary form that was asked for`);
    const data = body.subarray(at, at + size);
    at += size;
    return { name, dataType: datatype as DataType, shape, data };
  });
  return { model: head.model_name, version: head.model_version ?? '', outputs };
}
