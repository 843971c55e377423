import { ERRORS } from '../../../core/index.js';
import { GROUPS, RIGHTS } from '../../controlplane/index.js';
import type { Route } from '../http/routes.js';
import { mapped } from '../ports.js';
import { invocationForm } from './invocation-form.js';

/** Amazon SageMaker's routes. `model` undefined: the only one; `ping`: what the health check tells. */
export function sagemakerRoutes(model: string | undefined, ping: 'ready' | 'live'): readonly Route[] {
  const binaryType = 'application/vnd.sagemaker-triton.binary+json;json-header-size=';
  return [health('/ping', ping), invocations('/invocations', { model, binaryType })];
}

/** Google Vertex AI's routes, at the paths that it names. */
export function vertexAiRoutes(
  paths: { readonly health: string; readonly predict: string },
  model: string | undefined,
): readonly Route[] {
  const binaryType = 'application/vnd.vertex-ai-triton.binary+json;json-header-size=';
  const redirectHeader = 'x-vertex-ai-triton-redirect';
  return [health(paths.health, 'ready'), invocations(paths.predict, { model, binaryType, redirectHeader })];
}

function health(pattern: string, tells: 'ready' | 'live'): Route {
  return {
    kind: 'control',
    method: 'GET',
    pattern,
    tag: 'health',
    right: RIGHTS[tells],
    group: GROUPS[tells],
    summary: 'Whether the server takes requests',
    response: 'Ready',
    duringDrain: true,
    handle: ({ server }) => {
      if (tells === 'live')
        return mapped(server.control.live(), ({ live }) => ({ content: {}, status: live ? 200 : NOT_READY_STATUS }));
      return mapped(server.control.ready(), ({ ready }) => ({
        content: {},
        status: ready && !server.inFlight.draining ? 200 : NOT_READY_STATUS,
      }));
    },
  };
}

const NOT_READY_STATUS = ERRORS.VERSION_NOT_READY.http;

function invocations(pattern: string, options: Parameters<typeof invocationForm>[0]): Route {
  return {
    kind: 'form',
    method: 'POST',
    pattern,
    tag: 'inference',
    right: 'open',
    group: 'inference',
    summary: 'Run an inference of the default model',
    request: 'PlainRequest',
    response: 'PlainAnswer',
    form: invocationForm(options),
  };
}
