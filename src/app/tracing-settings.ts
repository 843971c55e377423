import type { ServerConfig } from '../config/index.js';
import { ServingError } from '../core/index.js';
import type { ExportSettings, HeadRules } from '../insight/index.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** How traces are made and where they go. */
export interface TracingSettings {
  readonly head: HeadRules;
  readonly exporter: Pick<
    ExportSettings,
    'protocol' | 'endpoint' | 'headers' | 'timeoutMs' | 'serviceName' | 'resource'
  >;
}

/** Of traces that begin here, where nobody says anything: a gateway answers too many requests for OpenTelemetry's default of all. */
const DEFAULT_FRACTION = 0.01;

/**
 * What configuration and OpenTelemetry's own variables say together; the configuration wins. Undefined: no traces are made.
 * Throws MALFORMED_REQUEST for a variable that cannot be read.
 */
export function tracingSettings(
  { tracing }: Pick<ServerConfig, 'tracing'>,
  env: Environment,
): TracingSettings | undefined {
  const { enabled, endpoint, headers, exportTimeoutMs, serviceName, resource } = tracing;
  const off = env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none';
  const named = [endpoint, env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, env.OTEL_EXPORTER_OTLP_ENDPOINT].some(isGiven);
  if (enabled === 'off' || (enabled === 'auto' && (off || !named))) return undefined;
  return {
    head: headRules(tracing, env),
    exporter: {
      protocol: tracing.protocol ?? protocolOf(env),
      endpoint,
      headers,
      timeoutMs: exportTimeoutMs,
      serviceName,
      resource,
    },
  };
}

function protocolOf(env: Environment): ExportSettings['protocol'] {
  const text = [env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, env.OTEL_EXPORTER_OTLP_PROTOCOL].find(isGiven);
  if (text === undefined) return 'http/protobuf';
  if (text === 'http/protobuf' || text === 'grpc') return text;
  throw unreadable('OTEL_EXPORTER_OTLP_PROTOCOL', text, 'http/protobuf or grpc');
}

function headRules({ percent, followParent }: ServerConfig['tracing'], env: Environment): HeadRules {
  const byVariable = samplerOf(env);
  return {
    fraction: percent === undefined ? byVariable.fraction : percent / 100,
    followParent: followParent ?? byVariable.followParent,
  };
}

/** `OTEL_TRACES_SAMPLER` and its argument. */
function samplerOf(env: Environment): HeadRules {
  const text = env.OTEL_TRACES_SAMPLER;
  if (!isGiven(text)) return { fraction: fractionOf(env) ?? DEFAULT_FRACTION, followParent: true };
  const followParent = text.startsWith('parentbased_');
  switch (followParent ? text.slice('parentbased_'.length) : text) {
    case 'always_on':
      return { fraction: 1, followParent };
    case 'always_off':
      return { fraction: 0, followParent };
    case 'traceidratio':
      return { fraction: fractionOf(env) ?? 1, followParent };
    default:
      throw unreadable('OTEL_TRACES_SAMPLER', text, '[parentbased_]always_on, always_off or traceidratio');
  }
}

function fractionOf({ OTEL_TRACES_SAMPLER_ARG: text }: Environment): number | undefined {
  if (!isGiven(text)) return undefined;
  const fraction = Number(text);
  if (fraction >= 0 && fraction <= 1) return fraction;
  throw unreadable('OTEL_TRACES_SAMPLER_ARG', text, 'a number from 0 to 1');
}

/** OpenTelemetry takes an empty variable as one that is not set. */
function isGiven(text: string | undefined): text is string {
  return text !== undefined && text !== '';
}

function unreadable(name: string, text: string, expected: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', `${name}: expected ${expected}, came '${text}'`);
}
