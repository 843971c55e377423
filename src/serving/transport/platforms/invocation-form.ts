import { parseVersion, ServingError } from '../../../core/index.js';
import { isV2Body } from '../../codec/index.js';
import type { DecodedCall, FormContext, FormServer, InferForm } from '../http/form/infer-form.js';
import { predictForm } from '../http/form/predict-form.js';
import { isJsonBody } from '../http/plain/plain-form.js';
import { type Awaitable, chained, mapped } from '../ports.js';
import { v2Call } from './v2-call.js';

export interface InvocationOptions {
  /** Undefined: the only one there is. */
  readonly model: string | undefined;
  /** Media type of binary bodies, up to the length of their JSON. */
  readonly binaryType: string;
  /** Header that names another endpoint for a request; undefined: there is none. */
  readonly redirectHeader?: string;
}

/**
 * The one route for inferences that a platform has. A body is V2's, JSON or binary by its media type; or KServe V1's (Vertex AI's own);
 * or a plain one: JSON, an image, a form, CSV.
 */
export function invocationForm({
  model,
  binaryType,
  redirectHeader,
}: InvocationOptions): (server: FormServer) => InferForm {
  return (server) => {
    const modelOf = defaultModel(server, model);
    const plain = predictForm();
    return {
      headers: redirectHeader === undefined ? [] : [redirectHeader],
      decode(body, context): Awaitable<DecodedCall> {
        const redirect = redirectHeader === undefined ? '' : context.header(redirectHeader);
        return chained(targetOf(redirect, context.model, modelOf), (named) => {
          const own: FormContext = { ...context, ...named };
          const { contentType } = own;
          if (contentType.toLowerCase().startsWith(binaryType))
            return v2Call(body, headerLengthOf(contentType.slice(binaryType.length)), binaryType, own);
          if (redirect !== '' || (isJsonBody(contentType, body) && isV2Body(body)))
            return v2Call(body, undefined, binaryType, own);
          return plain.decode(body, own);
        });
      },
    };
  };
}

/** What a header, the path or the start of the server names, in this order. */
function targetOf(redirect: string, inPath: string, modelOf: () => Awaitable<string>): Awaitable<Target> {
  if (redirect !== '') return redirected(redirect);
  return mapped(inPath === '' ? modelOf() : inPath, (model) => ({ model, version: undefined }));
}

interface Target {
  readonly model: string;
  readonly version: number | undefined;
}

function headerLengthOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ServingError(
    'MALFORMED_REQUEST',
    `the media type ends in json-header-size=${text.slice(0, 40)}: expected a whole number`,
  );
}

/** The endpoint that a header names; only inferences are. */
function redirected(path: string): Target {
  const match = /^v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/infer$/.exec(path);
  if (match === null)
    throw new ServingError(
      'UNSUPPORTED',
      'a redirection leads to v2/models/MODEL/infer or v2/models/MODEL/versions/VERSION/infer only',
    );
  const [, model = '', version] = match;
  return { model, version: version === undefined ? undefined : parseVersion(version) };
}

/** What requests are for: the model that is named, else the only one that is served, which stays so once it is known. */
function defaultModel({ control }: FormServer, named: string | undefined): () => Awaitable<string> {
  let known = named;
  return () =>
    known ??
    mapped(control.repositoryIndex({ ready: true }), (index) => {
      const names = [...new Set(index.map(({ name }) => name))];
      if (names.length === 0) throw new ServingError('VERSION_NOT_READY', 'no model is ready');
      if (names.length > 1)
        throw new ServingError(
          'MODEL_NOT_FOUND',
          `${names.length} models are served and none is the default one: name it where the server is started`,
        );
      known = names[0] as string;
      return known;
    });
}
