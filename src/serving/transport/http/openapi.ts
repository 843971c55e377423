import { CRITICALITIES, ERRORS, REASONS, type Reason } from '../../../core/index.js';
import { GENERATE_SCHEMAS, PLAIN_SCHEMAS, PREDICT_SCHEMAS, TEXT_SCHEMAS, V2_REST_SCHEMAS } from '../../codec/index.js';
import type { ModelMetadata, Right } from '../../controlplane/index.js';
import type { ControlPort } from '../ports.js';
import { CONTROL_SCHEMAS } from './schemas.js';
import { SETTINGS_SCHEMAS } from './settings-schemas.js';

/** The parts of an OpenAPI 3.1 document that the page reads as well. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, unknown>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly description?: string;
  readonly parameters: readonly Readonly<Record<string, unknown>>[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, MediaType>> };
  readonly responses: Readonly<Record<string, unknown>>;
  readonly security?: readonly unknown[];
}

export interface MediaType {
  readonly schema: unknown;
  readonly examples?: Readonly<Record<string, { readonly summary: string; readonly value: unknown }>>;
}

/** What the document reads of a route. */
export interface DocumentedRoute {
  readonly kind: 'control' | 'infer' | 'form' | 'stream' | 'admin';
  readonly method: string;
  readonly pattern: string;
  readonly summary: string;
  readonly tag: string;
  readonly right: Right;
  /** Name of the body's schema; undefined = no body. */
  readonly request?: string;
  /** Answered by server-sent events. */
  readonly streams?: boolean;
  /** Media type of the answer; default JSON. */
  readonly answerType?: string;
  /** Media types of the body of a form; default JSON. */
  readonly media?: readonly string[];
  /** Whether the body may be YAML as well. */
  readonly yaml?: boolean;
  readonly response: string;
  /** Query parameters with what they mean. */
  readonly query?: Readonly<Record<string, string>>;
  /** Beside those that follow from the rest. */
  readonly reasons?: readonly Reason[];
}

/** What the document tells of an API beside its routes. */
export interface DocumentedApi {
  readonly description: string;
  readonly schemas: Readonly<Record<string, unknown>>;
}

const V2_API: DocumentedApi = {
  description:
    'Open Inference Protocol V2 over REST and WebSocket; KServe V1, TensorFlow Serving, plain JSON and embeddings (OpenAI, text-embeddings-inference) over REST.',
  schemas: {
    ...CONTROL_SCHEMAS,
    ...SETTINGS_SCHEMAS,
    ...V2_REST_SCHEMAS,
    ...PREDICT_SCHEMAS,
    ...GENERATE_SCHEMAS,
    ...PLAIN_SCHEMAS,
    ...TEXT_SCHEMAS,
  },
};

/** Models whose examples the document carries; more would drown the page. */
const MAX_EXAMPLES = 16;
/** Elements of an example tensor; larger inputs are shown as binary only. */
const MAX_EXAMPLE_ELEMENTS = 1024;

const INFER_HEADERS = [
  header(
    'Inference-Header-Content-Length',
    'integer',
    'Bytes of JSON before the binary tensors; 0 = the body is one raw tensor',
  ),
  header('x-request-timeout-ms', 'integer', 'Deadline from arrival, in milliseconds'),
  header('x-penstock-tenant', 'string', 'Whom the request is for, where the server believes it'),
  header('x-penstock-criticality', 'string', `What is refused last under overload: ${CRITICALITIES.join(', ')}`),
  header('Content-Encoding', 'string', 'gzip or deflate'),
];

/** The length of a JSON part is the business of V2's own bodies. */
const FORM_HEADERS = INFER_HEADERS.slice(1);

const STREAM_TEXT =
  'Upgrade to WebSocket. A text frame is the JSON body of an inference request; a binary frame is the bytes of its JSON as a ' +
  'little-endian uint32, the JSON, then the binary tensors. Every request is answered by one frame of the same form that ' +
  'carries its id, in the order they finish; an error is {"id", "error"}.';

/** What the document tells of the server at hand. */
export interface DescribedServer {
  readonly name: string;
  readonly version: string;
  /** Ready models to show a request for. */
  readonly models: readonly ModelMetadata[];
}

export async function describedServer(control: ControlPort): Promise<DescribedServer> {
  const { name, version } = await control.serverMetadata();
  const names = new Set((await control.repositoryIndex({ ready: true })).map((row) => row.name));
  const models: ModelMetadata[] = [];
  for (const model of [...names].slice(0, MAX_EXAMPLES)) {
    try {
      models.push(await control.modelMetadata(model, undefined));
    } catch {
      // Unloaded since the index was read: no example.
    }
  }
  return { name, version, models };
}

/** The document of a route table, with one example request for each model that is ready. */
export function openApiDocument(
  routes: readonly DocumentedRoute[],
  { name, version, models }: DescribedServer,
  api: DocumentedApi = V2_API,
): OpenApiDocument {
  const examples = inferExamples(models);
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = route.pattern.replace(/\/:([a-z]+)/g, '/{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, examples) };
  }
  return {
    openapi: '3.1.0',
    info: { title: name, version, description: api.description },
    paths,
    components: {
      schemas: api.schemas,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A token with the scope that is named, or with admin' },
        adminToken: {
          type: 'http',
          scheme: 'bearer',
          description: 'The admin token; calls from this machine need none',
        },
      },
    },
  };
}

function operation(route: DocumentedRoute, examples: NonNullable<MediaType['examples']>): Operation {
  const { pattern, summary, tag, request, response } = route;
  const infer = route.kind === 'infer';
  const form = route.kind === 'form';
  return {
    operationId: `${route.method.toLowerCase()}${pattern.replace(/[:/]+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    tags: [tag],
    ...(route.kind === 'stream' ? { description: STREAM_TEXT } : {}),
    parameters: [
      ...pathParameters(pattern),
      ...queryParameters(route),
      ...(infer ? INFER_HEADERS : form ? FORM_HEADERS : []),
    ],
    ...(request === undefined
      ? {}
      : {
          requestBody: {
            required: infer || form,
            content: {
              ...Object.fromEntries((route.media ?? []).map((media) => [media, { schema: reference(request) }])),
              'application/json': infer ? { schema: reference(request), examples } : { schema: reference(request) },
              ...(route.yaml === true ? { 'application/yaml': { schema: reference(request) } } : {}),
              ...(infer
                ? {
                    'application/octet-stream': {
                      schema: { description: 'The JSON, then the binary tensors in its order' },
                    },
                  }
                : {}),
            },
          },
        }),
    responses: responses(route, response),
    ...(route.right === 'open' ? {} : { security: security(route) }),
  };
}

/** Administrative calls on the port of inferences need no token on the machine itself. */
function security({ kind, right }: DocumentedRoute): readonly unknown[] {
  return kind === 'control' && right === 'admin' ? [{ adminToken: [] }, {}] : [{ token: [right] }];
}

function responses(route: DocumentedRoute, response: string): Record<string, unknown> {
  const answers: Record<string, unknown> = {};
  if (route.kind === 'stream') answers['101'] = { description: 'Switched to WebSocket' };
  else answers['200'] = { description: 'Done', content: { [contentTypeOf(route)]: { schema: reference(response) } } };
  for (const reason of errorReasons(route)) {
    const status = String(ERRORS[reason].http);
    const content = { 'application/json': { schema: reference('Error') } };
    // Forms have errors of their own shapes.
    answers[status] ??= route.kind === 'form' ? { description: '' } : { description: '', content };
    const answer = answers[status] as { description: string };
    answer.description = answer.description === '' ? reason : `${answer.description}, ${reason}`;
  }
  if (route.kind !== 'stream') answers.default = { description: 'An error, as the protocol of the route has it' };
  return answers;
}

const INFER_ONLY: readonly Reason[] = [
  'BODY_TOO_LARGE',
  'UNSUPPORTED_MEDIA',
  'DEADLINE_EXCEEDED',
  'OVERLOADED',
  'QUEUE_FULL',
  'BACKEND_FAILED',
  'EXECUTOR_LOST',
];

function errorReasons(route: DocumentedRoute): readonly Reason[] {
  const reasons = new Set<Reason>(['DRAINING', 'INTERNAL']);
  if (route.kind !== 'admin' && route.pattern.includes(':model'))
    for (const reason of ['MALFORMED_REQUEST', 'MODEL_NOT_FOUND', 'VERSION_NOT_READY'] as const) reasons.add(reason);
  if (route.pattern.includes(':version')) reasons.add('VERSION_NOT_FOUND');
  if (route.request !== undefined || Object.keys(route.query ?? {}).length > 0)
    for (const reason of ['MALFORMED_REQUEST', 'BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA'] as const) reasons.add(reason);
  if (route.kind === 'infer' || route.kind === 'form') for (const reason of INFER_ONLY) reasons.add(reason);
  if (route.right !== 'open') for (const reason of ['UNAUTHENTICATED', 'FORBIDDEN'] as const) reasons.add(reason);
  if (route.kind === 'control' && route.right === 'admin')
    for (const reason of ['MODEL_INVALID', 'UNSUPPORTED'] as const) reasons.add(reason);
  for (const reason of route.reasons ?? []) reasons.add(reason);
  return REASONS.filter((reason) => reasons.has(reason));
}

function contentTypeOf(route: DocumentedRoute): string {
  if (route.streams === true) return 'text/event-stream';
  return route.answerType ?? (route.pattern.endsWith('/docs') ? 'text/html' : 'application/json');
}

function pathParameters(pattern: string): Readonly<Record<string, unknown>>[] {
  const parameters: Readonly<Record<string, unknown>>[] = [];
  if (pattern.includes(':model'))
    parameters.push({
      name: 'model',
      in: 'path',
      required: true,
      schema: { type: 'string', minLength: 1, maxLength: 256 },
    });
  if (pattern.includes(':version'))
    parameters.push({ name: 'version', in: 'path', required: true, schema: { type: 'integer', minimum: 1 } });
  for (const [, name] of pattern.matchAll(/\/:([a-z]+)/g)) {
    if (name === 'model' || name === 'version') continue;
    parameters.push({ name, in: 'path', required: true, schema: { type: 'string', minLength: 1, maxLength: 256 } });
  }
  return parameters;
}

function queryParameters({ query = {} }: DocumentedRoute): Readonly<Record<string, unknown>>[] {
  return Object.entries(query).map(([name, description]) => ({
    name,
    in: 'query',
    required: false,
    description,
    schema: { type: 'string' },
  }));
}

function header(name: string, type: string, description: string): Readonly<Record<string, unknown>> {
  return { name, in: 'header', required: false, description, schema: { type } };
}

function reference(schema: string): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${schema}` };
}

/** A request with zeros for each model, from its own inputs. */
function inferExamples(models: readonly ModelMetadata[]): NonNullable<MediaType['examples']> {
  const examples: Record<string, { summary: string; value: unknown }> = {};
  for (const model of models) {
    const value = exampleRequest(model);
    if (value !== undefined) examples[model.name] = { summary: `Zeros for ${model.name}`, value };
  }
  return examples;
}

function exampleRequest(metadata: ModelMetadata): unknown {
  const inputs = [];
  for (const { name, datatype, shape } of metadata.inputs) {
    const fixed = shape.map((size) => Math.max(size, 1));
    const elements = fixed.reduce((product, size) => product * size, 1);
    const zero = EXAMPLE_ELEMENTS[datatype] ?? 0;
    if (elements > MAX_EXAMPLE_ELEMENTS || zero === null) return undefined;
    inputs.push({ name, datatype, shape: fixed, data: Array.from({ length: elements }, () => zero) });
  }
  return { inputs };
}

/** Where not 0; null: the data type has no JSON form. */
const EXAMPLE_ELEMENTS: Readonly<Record<string, boolean | string | null>> = {
  BOOL: false,
  BYTES: 'text',
  FP16: null,
  BF16: null,
};
