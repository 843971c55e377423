import { type ApiGroup, ServingError } from '../../../core/index.js';
import { GROUPS, type GroupedCall, MOST_FEEDBACK_CHARACTERS, RIGHTS, type Right } from '../../controlplane/index.js';
import { type Awaitable, mapped } from '../ports.js';
import type { ControlCallInput, ControlRoute } from './control-exchange.js';
import { docsPage } from './docs-page.js';
import type { FormRoute } from './form/register-forms.js';
import { GENERATE_ROUTES } from './generate-routes.js';
import { MEMORY_ROUTES } from './memory-routes.js';
import { describedServer, type OpenApiDocument, openApiDocument } from './openapi.js';
import { PLAIN_ROUTES } from './plain/plain-routes.js';
import { SETTINGS_ROUTES } from './settings-routes.js';
import { TEXT_ROUTES } from './texts/text-routes.js';
import { namesOf, V1_ROUTES } from './v1-routes.js';
import type { WholeAnswer } from './whole-call.js';

interface Described {
  readonly summary: string;
  readonly tag:
    | 'inference'
    | 'health'
    | 'metadata'
    | 'repository'
    | 'settings'
    | 'shared memory'
    | 'feedback'
    | 'documentation';
  readonly right: Right;
  /** What it is restricted with. */
  readonly group: ApiGroup;
  /** Names in the document's schemas; undefined = no body. */
  readonly request?: string;
  readonly response: string;
  /** Media type of the answer, for the description; default JSON. */
  readonly answerType?: string;
}

/** One line of the table that the server registers and the documentation is generated from. */
export type Route =
  | (Described & ControlRoute & { readonly kind: 'control' })
  | (Described & { readonly kind: 'infer'; readonly method: 'POST'; readonly pattern: string })
  | (Described & FormRoute & { readonly kind: 'form'; readonly method: 'POST'; readonly media?: readonly string[] })
  | (Described & { readonly kind: 'stream'; readonly method: 'GET'; readonly pattern: string });

/** Every route of the HTTP server. Patterns: `:model` and `:version` stand for one path segment each. */
export const ROUTES: readonly Route[] = [
  control(
    'serverMetadata',
    'GET',
    '/v2',
    'metadata',
    'ServerMetadata',
    'Name, version and protocol extensions of the server',
    ({ server }) => mapped(server.control.serverMetadata(), asContent),
  ),
  {
    ...control('live', 'GET', '/v2/health/live', 'health', 'Live', 'Whether the process is alive', ({ server }) =>
      mapped(server.control.live(), (content) => ({ content, status: content.live ? 200 : server.notReadyStatus })),
    ),
    duringDrain: true,
  },
  {
    ...control(
      'ready',
      'GET',
      '/v2/health/ready',
      'health',
      'Ready',
      'Whether the server takes requests (503 where not)',
      ({ server }) =>
        mapped(server.control.ready(), (readiness) => {
          const ready = readiness.ready && !server.inFlight.draining;
          return { content: { ready }, status: ready ? 200 : server.notReadyStatus };
        }),
    ),
    duringDrain: true,
  },
  control(
    'modelStatistics',
    'GET',
    '/v2/models/stats',
    'metadata',
    'Statistics',
    'Statistics of every model that is ready',
    ({ server }) => mapped(server.control.modelStatistics(undefined, undefined), asContent),
  ),
  control(
    'repositoryIndex',
    'GET',
    '/v2/models',
    'metadata',
    'V1Models',
    'Names of the models that take requests (as KServe has it)',
    ({ server }) => mapped(server.control.repositoryIndex({ ready: true }), namesOf),
  ),
  ...ofModel('', (pattern) =>
    control(
      'modelMetadata',
      'GET',
      pattern,
      'metadata',
      'ModelMetadata',
      'Inputs, outputs, platform and versions of a model',
      ({ server, path }) => mapped(server.control.modelMetadata(path.model, path.version), asContent),
    ),
  ),
  ...ofModel('/ready', (pattern) =>
    control(
      'modelReady',
      'GET',
      pattern,
      'health',
      'ModelReady',
      'Whether a model (version) takes requests (503 where not)',
      ({ server, path }) =>
        mapped(server.control.modelReady(path.model, path.version), (content) => ({
          content,
          status: content.ready ? 200 : server.notReadyStatus,
        })),
    ),
  ),
  ...ofModel('/config', (pattern) =>
    control(
      'modelConfig',
      'GET',
      pattern,
      'metadata',
      'ModelConfig',
      'Configuration of a model, completed with its defaults',
      ({ server, path }) => mapped(server.control.modelConfig(path.model, path.version), asContent),
    ),
  ),
  ...ofModel('/stats', (pattern) =>
    control('modelStatistics', 'GET', pattern, 'metadata', 'Statistics', 'Statistics of a model', ({ server, path }) =>
      mapped(server.control.modelStatistics(path.model, path.version), asContent),
    ),
  ),
  ...ofModel('/status', (pattern) =>
    control(
      'modelStatus',
      'GET',
      pattern,
      'metadata',
      'ModelStatus',
      'Engine, execution providers and lanes of a model',
      ({ server, path }) => mapped(server.control.modelStatus(path.model, path.version), asContent),
    ),
  ),
  ...ofModel('/scheduler', (pattern) =>
    control(
      'modelScheduler',
      'GET',
      pattern,
      'metadata',
      'ModelScheduler',
      'Cost curve, scheduling policy and last decisions of a model',
      ({ server, path }) => mapped(server.control.modelScheduler(path.model, path.version), asContent),
    ),
  ),
  control(
    'sloStatus',
    'GET',
    '/v2/slo',
    'metadata',
    'SloReport',
    'How every SLO stands: error budget, burn rates and alerts, as far back as this process knows',
    ({ server }) => mapped(server.control.sloStatus(), asContent),
  ),
  ...ofModel('/latency', (pattern) => ({
    ...control(
      'modelLatency',
      'GET',
      pattern,
      'metadata',
      'ModelLatency',
      'Quantiles of the time that requests of a model took; with the sketch of them, which merges with those of other replicas',
      ({ server, path, query }) =>
        mapped(server.control.modelLatency(path.model, path.version, query('sketch')), asContent),
    ),
    query: { sketch: 'Give the sketch too: json, or protobuf (DDSketch.proto in base64)' },
  })),
  ...ofModel(
    '/infer',
    (pattern): Route => ({
      kind: 'infer',
      method: 'POST',
      pattern,
      tag: 'inference',
      right: 'open',
      group: 'inference',
      summary: 'Run an inference: JSON, JSON and binary tensors, or one raw tensor',
      request: 'InferRequest',
      response: 'InferResponse',
    }),
  ),
  ...GENERATE_ROUTES,
  ...ofModel(
    '/stream',
    (pattern): Route => ({
      kind: 'stream',
      method: 'GET',
      pattern,
      tag: 'inference',
      right: 'open',
      group: 'inference',
      summary: 'WebSocket: many inferences in flight on one connection, told apart by id',
      response: 'InferResponse',
    }),
  ),
  control(
    'repositoryIndex',
    'POST',
    '/v2/repository/index',
    'repository',
    'RepositoryIndex',
    'Every model version with its state',
    ({ server, body }) => mapped(server.control.repositoryIndex({ ready: readyFilter(body.ready) }), asContent),
    'RepositoryIndexRequest',
  ),
  control(
    'repositoryLoad',
    'POST',
    '/v2/repository/models/:model/load',
    'repository',
    'Empty',
    'Load or reload a model',
    async ({ server, path, body, caller }) => {
      await server.control.repositoryLoad(path.model, parametersOf(body), caller);
      return { content: {} };
    },
    'RepositoryLoadRequest',
  ),
  control(
    'repositoryUnload',
    'POST',
    '/v2/repository/models/:model/unload',
    'repository',
    'Empty',
    'Unload a model',
    async ({ server, path, body, caller }) => {
      await server.control.repositoryUnload(path.model, parametersOf(body), caller);
      return { content: {} };
    },
    'RepositoryUnloadRequest',
  ),
  ...SETTINGS_ROUTES,
  ...MEMORY_ROUTES,
  {
    ...control(
      'feedback',
      'POST',
      '/v2/feedback',
      'feedback',
      'FeedbackReport',
      'Tell what was learned of predictions after they were made; an array, or one item a line (NDJSON)',
      ({ server, text, caller }) => mapped(server.control.feedback(text, caller), asContent),
      'FeedbackItems',
    ),
    maxTextBytes: MOST_FEEDBACK_CHARACTERS,
  },
  ...V1_ROUTES,
  ...PLAIN_ROUTES,
  ...TEXT_ROUTES,
  documentation('/v2/docs', 'This documentation as a page', 'text/html; charset=utf-8', (document) =>
    docsPage(document, '/v2/docs'),
  ),
  documentation('/v2/docs/openapi.json', 'This documentation as OpenAPI 3.1', 'application/json', (document) =>
    JSON.stringify(document),
  ),
];

const asContent = (content: unknown): WholeAnswer => ({ content });

function control(
  call: GroupedCall,
  method: 'GET' | 'POST',
  pattern: string,
  tag: Described['tag'],
  response: string,
  summary: string,
  handle: (input: ControlCallInput) => Awaitable<WholeAnswer>,
  request?: string,
): Route & { kind: 'control' } {
  return {
    kind: 'control',
    method,
    pattern,
    tag,
    right: RIGHTS[call],
    group: GROUPS[call],
    summary,
    response,
    handle,
    ...(request === undefined ? {} : { request }),
  };
}

function documentation(
  pattern: string,
  summary: string,
  contentType: string,
  render: (document: OpenApiDocument) => string,
): Route {
  return {
    kind: 'control',
    method: 'GET',
    pattern,
    tag: 'documentation',
    right: 'open',
    group: 'metadata',
    summary,
    response: 'Document',
    handle: async ({ server }) => ({
      content: render(openApiDocument(ROUTES, await describedServer(server.control))),
      contentType,
    }),
  };
}

/** The route of a model and the one of a version of it. */
function ofModel(suffix: string, route: (pattern: string) => Route): Route[] {
  return [route(`/v2/models/:model${suffix}`), route(`/v2/models/:model/versions/:version${suffix}`)];
}

function readyFilter(value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw new ServingError('MALFORMED_REQUEST', `"ready" is a ${typeof value}, expected a boolean`);
}

function parametersOf(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { parameters } = body;
  if (parameters === undefined || parameters === null) return {};
  if (typeof parameters === 'object' && !Array.isArray(parameters)) return parameters as Record<string, unknown>;
  throw new ServingError('MALFORMED_REQUEST', '"parameters" is not a JSON object');
}
