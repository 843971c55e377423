import { checkModelName, parseVersion, ServingError } from '../../../core/index.js';
import type { HttpRequest } from '../uws/uws-types.js';

/** What a path names. */
export interface ModelPath {
  readonly model: string;
  readonly version: number | undefined;
  /** Of a pattern with `:label`; else absent. */
  readonly label?: string;
}

/**
 * The model that the pattern's first parameter names and, where it is `versioned`, the version that its second names. The name is percent-decoded once, then
 * checked: a name that is encoded twice stays a strange name and never becomes a path. Throws `MALFORMED_REQUEST`.
 */
export function modelPath(request: HttpRequest, versioned: boolean): ModelPath {
  const segment = request.getParameter(0) ?? '';
  return {
    model: checkModelName(segment.includes('%') ? decodeOnce('model name', segment) : segment),
    // Where the pattern has no version the library gives an empty text, as it does for an empty segment.
    version: versioned ? parseVersion(request.getParameter(1) ?? '') : undefined,
  };
}

/** Whether a pattern names a version. */
export function isVersioned(pattern: string): boolean {
  return pattern.includes('/:version');
}

/** A segment of a path, percent-decoded; `what` it names is for the error. Throws `MALFORMED_REQUEST`. */
export function decodeOnce(what: string, segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ServingError('MALFORMED_REQUEST', `the ${what} in the path is not valid percent-encoded UTF-8`);
  }
}
