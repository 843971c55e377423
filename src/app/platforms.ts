import type { ServerConfig } from '../config/index.js';
import { type ListeningServer, sagemakerRoutes, startHttp, vertexAiRoutes } from '../serving/transport/index.js';
import type { ServerParts } from './listeners.js';

/** A server of a cloud platform's routes. */
export interface PlatformListener {
  /** As flags have it. */
  readonly name: 'SageMaker' | 'Vertex-AI';
  readonly address: string;
  readonly port: number;
  /** Where requests go. */
  readonly path: string;
  readonly routes: ReturnType<typeof sagemakerRoutes>;
}

/** What the configuration asks for. */
export function platformListeners({ sagemaker, vertexAi }: ServerConfig): readonly PlatformListener[] {
  const listeners: PlatformListener[] = [];
  if (sagemaker.enabled) {
    const { address, port = 8080, defaultModel: model, ping = 'ready', multiModel = false } = sagemaker;
    listeners.push({
      name: 'SageMaker',
      address,
      port,
      path: '/invocations',
      routes: sagemakerRoutes({ model, ping, multiModel }),
    });
  }
  if (vertexAi.enabled === true) {
    const {
      address,
      port = 8080,
      defaultModel,
      healthRoute: health = '/health',
      predictRoute: predict = '/predict',
    } = vertexAi;
    const routes = vertexAiRoutes({ health, predict }, defaultModel);
    listeners.push({ name: 'Vertex-AI', address, port, path: predict, routes });
  }
  return listeners;
}

/** Starts them on this thread, with the limits of HTTP. Rejects, with none left open, where a port is taken. */
export async function startPlatforms(
  config: ServerConfig,
  http: Omit<Parameters<typeof startHttp>[0], keyof ServerParts | 'unixSocket' | 'tls' | 'cors'>,
  parts: ServerParts,
): Promise<readonly ListeningServer[]> {
  const started: ListeningServer[] = [];
  try {
    for (const { name, address, port, routes } of platformListeners(config))
      started.push(await startHttp({ ...http, ...parts, name, address, port, routes }));
    return started;
  } catch (thrown) {
    await Promise.all(started.map((server) => server.close()));
    throw thrown;
  }
}
