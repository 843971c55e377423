import { hostname } from 'node:os';
import type { Attributes } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import type { ExportSpans } from './span-queue.js';

/** Where traces go. What is undefined is taken from the `OTEL_EXPORTER_OTLP_*` variables, by the exporters themselves. */
export interface ExportSettings {
  readonly protocol: 'http/protobuf' | 'grpc';
  readonly endpoint: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Wins over `OTEL_SERVICE_NAME`; undefined: that, or `penstock`. */
  readonly serviceName: string | undefined;
  /** Win over `OTEL_RESOURCE_ATTRIBUTES`. */
  readonly resource: Readonly<Record<string, string>>;
  readonly version: string;
  readonly instanceId: string;
}

export interface OpenExporter {
  readonly send: ExportSpans;
  readonly resource: Resource;
}

/** One bunch is sent at a time; the exporter would refuse more than this. */
const CONCURRENT = 2;

/** Loads the exporter of the protocol, and only that. */
export async function openExporter(settings: ExportSettings): Promise<OpenExporter> {
  const exporter = await (settings.protocol === 'grpc' ? grpcExporter(settings) : httpExporter(settings));
  return {
    send: (spans) => sent(exporter, spans),
    resource: await resourceOf(settings),
  };
}

async function httpExporter({ endpoint, headers, timeoutMs }: ExportSettings): Promise<SpanExporter> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter({
    ...(endpoint === undefined ? {} : { url: tracesUrl(endpoint) }),
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    timeoutMillis: timeoutMs,
    concurrencyLimit: CONCURRENT,
  });
}

async function grpcExporter({ endpoint, headers, timeoutMs }: ExportSettings): Promise<SpanExporter> {
  const [{ OTLPTraceExporter }, { Metadata }] = await Promise.all([
    import('@opentelemetry/exporter-trace-otlp-grpc'),
    import('@grpc/grpc-js'),
  ]);
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new OTLPTraceExporter({
    ...(endpoint === undefined ? {} : { url: endpoint }),
    ...(Object.keys(headers).length === 0 ? {} : { metadata }),
    timeoutMillis: timeoutMs,
    concurrencyLimit: CONCURRENT,
  });
}

/** As with `OTEL_EXPORTER_OTLP_ENDPOINT`, the path of the signal follows the endpoint, unless it is there. */
function tracesUrl(endpoint: string): string {
  return /\/v1\/traces\/?$/.test(endpoint) ? endpoint : `${endpoint.replace(/\/$/, '')}/v1/traces`;
}

function sent(exporter: SpanExporter, spans: ReadableSpan[]): Promise<void> {
  return new Promise((resolve, reject) => {
    exporter.export(spans, ({ error, code }) => {
      if (code === 0) resolve();
      else reject(error ?? new Error('the collector did not take the spans'));
    });
  });
}

async function resourceOf({ serviceName, resource, version, instanceId }: ExportSettings): Promise<Resource> {
  const { detectResources, envDetector, resourceFromAttributes } = await import('@opentelemetry/resources');
  const least: Attributes = {
    [ATTR_SERVICE_NAME]: 'penstock',
    [ATTR_SERVICE_VERSION]: version,
    'service.instance.id': instanceId,
    'host.name': hostname(),
    'process.pid': process.pid,
  };
  const named = serviceName === undefined ? {} : { [ATTR_SERVICE_NAME]: serviceName };
  return resourceFromAttributes(least)
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(resourceFromAttributes({ ...resource, ...named }));
}
