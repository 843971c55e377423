import { type ApiGroup, type FailedRequest, type ServingError, toServingError } from '../../../../core/index.js';
import { joinTrace } from '../../request-trace.js';
import type { HttpRequest, HttpResponse } from '../../uws/uws-types.js';
import type { BodyBuffer } from '../body-buffer.js';
import { BodyExchange } from '../body-exchange.js';
import { callerTraits } from '../caller-traits.js';
import type { Reply } from '../exchange.js';
import type { HttpState } from '../http-options.js';
import type { RequestHeaders } from '../request-headers.js';
import { statusLine } from '../status-line.js';
import { type FormPattern, namedBy } from './form-path.js';
import type { CallReply, DecodedCall, EncodedAnswer, FormContext, Infer, InferForm } from './infer-form.js';

/** What is served at one pattern. */
export interface ServedForm {
  /** Answered by server-sent events. */
  readonly streams: boolean;
  readonly form: InferForm;
  readonly pattern: FormPattern;
  readonly group: ApiGroup;
}

/** One call in the form of another protocol than V2: its body decoded by the form, its answer encoded by it. */
export class FormExchange extends BodyExchange implements CallReply {
  readonly #served: ServedForm;
  readonly #segments: readonly string[];
  #context: FormContext | undefined;
  #buffer: BodyBuffer | undefined;

  constructor(server: HttpState, response: HttpResponse, served: ServedForm, segments: readonly string[]) {
    super(server, response);
    this.#served = served;
    this.#segments = segments;
  }

  get wanted(): boolean {
    return this.open;
  }

  done({ response, body, contentType, status, headers }: EncodedAnswer): void {
    const lease = this.server.replies.takeLease();
    this.release();
    if (body === undefined || !this.open) {
      lease?.release();
      this.unsent(response);
      return;
    }
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const all = headers === undefined ? [...response.mark.headers] : [...response.mark.headers, ...headers];
    this.send(response, contentType, bytes, lease, all, status === undefined ? undefined : statusLine(status));
  }

  protected override readHead(
    headers: RequestHeaders,
    receivedNs: number,
    request: HttpRequest,
    response: HttpResponse,
  ): string {
    const { server } = this;
    const { form, pattern } = this.#served;
    const { model, version, label } = namedBy(pattern, this.#segments);
    const asked = new Map(form.headers?.map((name) => [name, request.getHeader(name)]));
    this.#context = {
      model,
      version,
      label,
      segments: this.#segments,
      query: request.getQuery() ?? '',
      contentType: request.getHeader('content-type'),
      receivedNs,
      nowNs: server.nowNs,
      deadlineNs: this.deadlineNs(headers.timeoutMs, receivedNs),
      tenantHeader: headers.tenant,
      criticalityHeader: headers.criticality,
      caller: callerTraits(server.inference.wanted, server.forward, request, response),
      lease: undefined,
      server,
      header: (name) => asked.get(name) ?? '',
      ownedBody: () => (this.#buffer as BodyBuffer).ownedBytes(),
      signal: () => this.signal(),
    };
    return model;
  }

  protected override takeAtOnce(): boolean {
    return false;
  }

  protected override take(body: BodyBuffer): void {
    this.#buffer = body;
    const context: FormContext = { ...(this.#context as FormContext), lease: body.lease };
    const decoded = this.#served.form.decode(body.bytes(), context);
    // Settles by itself: every failure is answered inside.
    if (decoded instanceof Promise) void this.#startLater(decoded);
    else this.#start(decoded);
  }

  protected override refusal(error: ServingError): Pick<Reply, 'status' | 'contentType' | 'body'> {
    const { form } = this.#served;
    if (form.errorAnswer === undefined) return super.refusal(error);
    const { status, contentType, body } = form.errorAnswer(error);
    return { status: status === undefined ? super.refusal(error).status : statusLine(status), contentType, body };
  }

  protected override failedRequest(): FailedRequest {
    return { model: this.#context?.model ?? '', id: this.requestId };
  }

  async #startLater(decoded: Promise<DecodedCall>): Promise<void> {
    try {
      const call = await decoded;
      if (this.open) this.#start(call);
    } catch (thrown) {
      this.refuse(toServingError(thrown), false);
    }
  }

  #start(call: DecodedCall): void {
    this.handle = call.begin(this.#infer, this);
  }

  readonly #infer: Infer = (request, reply) => {
    this.requestId = request.id;
    joinTrace(request, this.trace);
    if (this.trace !== undefined) this.trace.model = request.model;
    return this.server.inference.infer(request, reply);
  };
}
