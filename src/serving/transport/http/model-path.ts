import { checkModelName, parseVersion, ServingError } from '../../../core/index.js';
import type { HttpRequest } from '../uws/uws-types.js';

/** What a path names. */
export interface ModelPath {
  readonly model: string;
  readonly version: number | undefined;
}

/**
 * The model (and version) that the pattern's first (and second) parameter name. The name is percent-decoded once, then
 * checked: a name that is encoded twice stays a strange name and never becomes a path. Throws `MALFORMED_REQUEST`.
 */
export function modelPath(request: HttpRequest): ModelPath {
  const segment = request.getParameter(0) ?? '';
  const version = request.getParameter(1);
  return {
    model: checkModelName(segment.includes('%') ? decodeOnce(segment) : segment),
    version: version === undefined ? undefined : parseVersion(version),
  };
}

function decodeOnce(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ServingError('MALFORMED_REQUEST', 'the model name in the path is not valid percent-encoded UTF-8');
  }
}
