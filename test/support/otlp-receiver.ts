import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { eventually } from './running-gateway.js';

const PROTO = fileURLToPath(new URL('../fixtures/otlp/trace_service.proto', import.meta.url));
const SERVICE = loadSync(PROTO, { longs: String, keepCase: false, defaults: true, oneofs: true })[
  'opentelemetry.proto.collector.trace.v1.TraceService'
] as ServiceDefinition;

/** A span as it was received; identifiers in hex, empty = none. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly traceState: string;
  readonly name: string;
  /** 1 = internal, 2 = server. */
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 0 = not set, 2 = error. */
  readonly status: number;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** A collector: takes what is exported over OTLP/HTTP (protobuf) and OTLP/gRPC, and keeps the spans. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** Headers of each export over HTTP. */
  readonly headers: Readonly<Record<string, unknown>>[] = [];
  /** Answers exports over HTTP with this status. */
  status = 200;
  readonly #http = createServer();
  readonly #grpc = new Server();
  #grpcPort = 0;

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await receiver.#listen();
    return receiver;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get grpcUrl(): string {
    return `http://127.0.0.1:${this.#grpcPort}`;
  }

  /** Resolves when so many spans of that name have come; gives them. */
  async named(name: string, count: number): Promise<readonly ReceivedSpan[]> {
    const found = () => this.spans.filter((span) => span.name === name);
    await eventually(
      () => found().length >= count,
      `${count} spans '${name}', came ${this.spans.map((span) => span.name)}`,
    );
    return found();
  }

  /** Those below a span, in the order they began. */
  childrenOf({ traceId, spanId }: ReceivedSpan): readonly ReceivedSpan[] {
    const own = this.spans.filter((span) => span.traceId === traceId && span.parentId === spanId);
    return own.sort((a, b) => Number(a.startNs - b.startNs));
  }

  async close(): Promise<void> {
    this.#grpc.forceShutdown();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  async #listen(): Promise<void> {
    const exported: handleUnaryCall<unknown, unknown> = (call, done) => {
      this.#take(call.request);
      done(null, {});
    };
    this.#grpc.addService(SERVICE, { Export: exported as UntypedHandleCall });
    this.#grpcPort = await new Promise<number>((resolve, reject) => {
      this.#grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    this.#http.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.headers.push(request.headers);
        if (this.status === 200) this.#take(SERVICE.Export?.requestDeserialize(Buffer.concat(chunks)));
        response.writeHead(this.status, { 'content-type': 'application/x-protobuf' }).end();
      });
    });
    await new Promise<void>((resolve) => {
      this.#http.listen(0, '127.0.0.1', resolve);
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: messages of the loaded proto have no static types
  #take({ resourceSpans }: any): void {
    for (const { resource, scopeSpans } of resourceSpans)
      for (const { spans } of scopeSpans)
        for (const span of spans)
          this.spans.push({
            traceId: span.traceId.toString('hex'),
            spanId: span.spanId.toString('hex'),
            parentId: span.parentSpanId.toString('hex'),
            traceState: span.traceState,
            name: span.name,
            kind: span.kind,
            startNs: BigInt(span.startTimeUnixNano),
            endNs: BigInt(span.endTimeUnixNano),
            attributes: attributesOf(span.attributes),
            links: span.links.map((link: Record<string, Buffer>) => ({
              traceId: link.traceId!.toString('hex'),
              spanId: link.spanId!.toString('hex'),
            })),
            status: span.status?.code ?? 0,
            resource: attributesOf(resource.attributes),
          });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as above
function attributesOf(pairs: any[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => [key, value.value === 'intValue' ? Number(value.intValue) : value[value.value]]),
  );
}
