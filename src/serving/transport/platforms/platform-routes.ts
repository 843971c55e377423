import { ERRORS } from '../../../core/index.js';
import { GROUPS, RIGHTS } from '../../controlplane/index.js';
import { formRoute } from '../http/form/form-route.js';
import type { Route } from '../http/routes.js';
import { mapped } from '../ports.js';
import { invocationForm } from './invocation-form.js';
import { multiModelCalls } from './multi-model-routes.js';
import { tellingOfMemory } from './out-of-memory.js';

export interface SagemakerOptions {
  /** Of `/invocations`; undefined: the only one. */
  readonly model: string | undefined;
  /** What the health check tells. */
  readonly ping: 'ready' | 'live';
  /** Whether the platform loads models, and names them in the path. */
  readonly multiModel: boolean;
}

/** Amazon SageMaker's routes. */
export function sagemakerRoutes({ model, ping, multiModel }: SagemakerOptions): readonly Route[] {
  const binaryType = 'application/vnd.sagemaker-triton.binary+json;json-header-size=';
  const one = [health('/ping', ping), invocations('/invocations', invocationForm({ model, binaryType }))];
  if (!multiModel) return one;
  const named = invocationForm({ model: undefined, binaryType });
  return [
    ...one,
    ...multiModelCalls(),
    invocations('/models/:model/invoke', (server) => tellingOfMemory(named(server))),
  ];
}

/** Google Vertex AI's routes, at the paths that it names. */
export function vertexAiRoutes(
  paths: { readonly health: string; readonly predict: string },
  model: string | undefined,
): readonly Route[] {
  const binaryType = 'application/vnd.vertex-ai-triton.binary+json;json-header-size=';
  const redirectHeader = 'x-vertex-ai-triton-redirect';
  return [
    health(paths.health, 'ready'),
    invocations(paths.predict, invocationForm({ model, binaryType, redirectHeader })),
  ];
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

function invocations(pattern: string, form: ReturnType<typeof invocationForm>): Route {
  return formRoute({
    pattern,
    summary: 'Run an inference of the model that is named, else of the default one',
    request: 'PlainRequest',
    response: 'PlainAnswer',
    form,
  });
}
