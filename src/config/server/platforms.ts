import { z } from 'zod';
import { ServingError } from '../../core/index.js';
import type { ServerConfig } from './schema.js';

const address = () =>
  z
    .string()
    .min(1)
    .default('0.0.0.0')
    .describe('Address to listen on; the platform calls from outside of the container');
const port = () => z.int().min(1).max(65535).optional();
const route = (variable: string) =>
  z
    .string()
    .regex(/^\/[A-Za-z0-9/_.:~-]+$/, 'expected a path, /predict say')
    .optional()
    .describe(`Path; default the environment's ${variable}`);

/** The server of Amazon SageMaker's routes. */
export const sagemakerSchema = z.strictObject({
  enabled: z.boolean().default(false).describe('Serve /ping and /invocations'),
  address: address(),
  port: port().describe("Port; default the environment's SAGEMAKER_BIND_TO_PORT, else 8080"),
  safePortRange: z
    .string()
    .regex(/^\d{1,5}-\d{1,5}$/, 'expected MIN-MAX, 8000-8100 say')
    .optional()
    .describe("Ports that the platform allows, MIN-MAX; default the environment's SAGEMAKER_SAFE_PORT_RANGE, else any"),
  defaultModel: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Model of /invocations; default the environment's SAGEMAKER_TRITON_DEFAULT_MODEL_NAME, else the only one",
    ),
  multiModel: z
    .boolean()
    .optional()
    .describe(
      "Serve an endpoint of several models: /models, from which the platform loads and unloads them; default where the environment's SAGEMAKER_MULTI_MODEL is true",
    ),
  modelsFolder: z
    .string()
    .min(1)
    .default('/opt/ml/models')
    .describe('Where the folders lie that the platform loads models from'),
  ping: z
    .enum(['ready', 'live'])
    .optional()
    .describe("What /ping tells; default the environment's SAGEMAKER_TRITON_OVERRIDE_PING_MODE, else ready"),
});

/** The server of Google Vertex AI's routes. */
export const vertexAiSchema = z.strictObject({
  enabled: z.boolean().optional().describe("Serve its routes; default where the environment's AIP_MODE is PREDICTION"),
  address: address(),
  port: port().describe("Port; default the environment's AIP_HTTP_PORT, else 8080"),
  healthRoute: route('AIP_HEALTH_ROUTE'),
  predictRoute: route('AIP_PREDICT_ROUTE'),
  defaultModel: z.string().min(1).optional().describe('Model of predictions; default the only one'),
});

/** Variables of the environment. */
type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_PORT = 8080;

/**
 * The configuration with what the variables of cloud platforms say where it leaves them a say. Throws MALFORMED_REQUEST: what is
 * missing, out of range, not served, or on a port that another listener has.
 */
export function withPlatformEnvironment(config: ServerConfig, env: Environment): ServerConfig {
  const sagemaker = config.sagemaker.enabled ? sagemakerOf(config.sagemaker, env) : config.sagemaker;
  const enabled = config.vertexAi.enabled ?? env.AIP_MODE === 'PREDICTION';
  const vertexAi = enabled ? vertexAiOf({ ...config.vertexAi, enabled }, env) : { ...config.vertexAi, enabled };
  const merged = { ...config, sagemaker, vertexAi };
  refuseSharedPorts(merged);
  return merged;
}

/** Whether models come from the platform, while the server serves. */
export function takesModelsLater({ sagemaker }: ServerConfig, env: Environment): boolean {
  return sagemaker.enabled && (sagemaker.multiModel ?? env.SAGEMAKER_MULTI_MODEL === 'true');
}

function sagemakerOf(given: ServerConfig['sagemaker'], env: Environment): ServerConfig['sagemaker'] {
  const multiModel = given.multiModel ?? env.SAGEMAKER_MULTI_MODEL === 'true';
  const type = env.SAGEMAKER_TRITON_INFERENCE_TYPE ?? '';
  if (type !== '' && type !== 'infer') throw refusal(`SAGEMAKER_TRITON_INFERENCE_TYPE is '${type}': expected infer`);
  const ping =
    given.ping ?? (filled(env.SAGEMAKER_TRITON_OVERRIDE_PING_MODE) as 'ready' | 'live' | undefined) ?? 'ready';
  if (ping !== 'ready' && ping !== 'live')
    throw refusal(`SAGEMAKER_TRITON_OVERRIDE_PING_MODE is '${String(ping)}': expected ready or live`);
  const safePortRange = given.safePortRange ?? filled(env.SAGEMAKER_SAFE_PORT_RANGE);
  const port = given.port ?? portIn(env, 'SAGEMAKER_BIND_TO_PORT') ?? DEFAULT_PORT;
  checkRange('sagemaker.port', port, safePortRange);
  const defaultModel = given.defaultModel ?? filled(env.SAGEMAKER_TRITON_DEFAULT_MODEL_NAME);
  return { ...given, ping, port, safePortRange, defaultModel, multiModel };
}

function vertexAiOf(given: ServerConfig['vertexAi'], env: Environment): ServerConfig['vertexAi'] {
  const routeOf = (name: 'healthRoute' | 'predictRoute', variable: string): string => {
    const path = given[name] ?? filled(env[variable]);
    if (path === undefined) throw refusal(`vertexAi.${name} is not given, and ${variable} is not set`);
    if (!/^\/[A-Za-z0-9/_.:~-]+$/.test(path)) throw refusal(`${variable} is '${path}': expected a path, /predict say`);
    return path;
  };
  const healthRoute = routeOf('healthRoute', 'AIP_HEALTH_ROUTE');
  const predictRoute = routeOf('predictRoute', 'AIP_PREDICT_ROUTE');
  if (healthRoute === predictRoute) throw refusal(`the routes of health and of predictions are both ${healthRoute}`);
  return { ...given, healthRoute, predictRoute, port: given.port ?? portIn(env, 'AIP_HTTP_PORT') ?? DEFAULT_PORT };
}

function portIn(env: Environment, variable: string): number | undefined {
  const text = filled(env[variable]);
  if (text === undefined) return undefined;
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > 65535) throw refusal(`${variable} is '${text}': expected a port from 1 to 65535`);
  return number;
}

function checkRange(what: string, port: number, range: string | undefined): void {
  if (range === undefined) return;
  const [least = Number.NaN, most = Number.NaN] = range.split('-').map(Number);
  if (!(least <= most)) throw refusal(`the safe port range is '${range}': expected MIN-MAX`);
  if (port < least || port > most) throw refusal(`${what} is ${port}, outside of the safe port range ${range}`);
}

function refuseSharedPorts({ http, grpc, metrics, admin, sagemaker, vertexAi }: ServerConfig): void {
  const others = [http, grpc, metrics].filter(({ enabled }) => enabled).map(({ port }) => port);
  const used = new Set([...others, ...(admin.port === undefined ? [] : [admin.port])]);
  for (const [name, listener] of [
    ['sagemaker', sagemaker],
    ['vertexAi', vertexAi],
  ] as const) {
    if (listener.enabled !== true || listener.port === undefined) continue;
    if (used.has(listener.port))
      throw refusal(`${name}.port is ${listener.port}, as that of another listener; each needs its own`);
    used.add(listener.port);
  }
}

const filled = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

function refusal(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
