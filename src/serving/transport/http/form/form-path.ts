import { checkModelName, parseVersion } from '../../../../core/index.js';
import type { HttpRequest } from '../../uws/uws-types.js';
import { decodeOnce } from '../model-path.js';

/** A pattern of the route table as the library takes it: it knows no verb behind a parameter, as in `/v1/models/:model:predict`. */
export interface FormPattern {
  readonly path: string;
  /** Undefined: the pattern has none. */
  readonly verb: string | undefined;
  /** Names of its parameters. */
  readonly parameters: readonly string[];
}

export function formPattern(pattern: string): FormPattern {
  const verb = /\/:[a-z]+:([a-z]+)$/.exec(pattern)?.[1];
  const path = verb === undefined ? pattern : pattern.slice(0, -verb.length - 1);
  return { path, verb, parameters: [...path.matchAll(/\/:([a-z]+)/g)].map(([, name]) => name as string) };
}

/** What the path of a request says. */
export interface FormPath {
  readonly segments: readonly string[];
  /** What stands behind the last colon of the last segment; undefined: there is none. */
  readonly verb: string | undefined;
}

/** Reads the parameters of a path, percent-decoded once; `withVerb`: the last one has a verb. Throws MALFORMED_REQUEST. */
export function readPath(request: HttpRequest, { parameters }: FormPattern, withVerb: boolean): FormPath {
  const segments = parameters.map((name, place) => {
    const segment = request.getParameter(place) ?? '';
    return segment.includes('%') ? decodeOnce(name, segment) : segment;
  });
  const last = segments[segments.length - 1] ?? '';
  const colon = withVerb ? last.lastIndexOf(':') : -1;
  if (colon < 0) return { segments, verb: undefined };
  segments[segments.length - 1] = last.slice(0, colon);
  return { segments, verb: last.slice(colon + 1) };
}

/** The model and the version or label that a path names, where its pattern has them. Throws MALFORMED_REQUEST. */
export function namedBy(
  { parameters }: FormPattern,
  segments: readonly string[],
): { readonly model: string; readonly version: number | undefined; readonly label: string } {
  const model = parameters.indexOf('model');
  const version = parameters.indexOf('version');
  return {
    model: model < 0 ? '' : checkModelName(segments[model] as string),
    version: version < 0 ? undefined : parseVersion(segments[version] as string),
    label: segments[parameters.indexOf('label')] ?? '',
  };
}
