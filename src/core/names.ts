import { ServingError } from './errors.js';

/** Longest model name in UTF-16 units; file systems allow 255 bytes, so nothing real is refused. */
export const MAX_MODEL_NAME_LENGTH = 256;
/** Highest model version: folder names are integers, and clients keep them in 32 bits. */
export const MAX_VERSION = 2 ** 31 - 1;

// Separators of every system, and what would forge a line of a log or a header.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[/\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/**
 * Returns a model name as clients gave it (already decoded, once), or throws MALFORMED_REQUEST: empty, longer than
 * `MAX_MODEL_NAME_LENGTH`, a leading dot (so `.`, `..` and hidden folders), a path separator or a control character.
 * A name that passes is a single path segment on every system.
 */
export function checkModelName(name: string): string {
  const wrong = wrongName(name);
  if (wrong === undefined) return name;
  throw new ServingError('MALFORMED_REQUEST', `the model name ${shown(name)} ${wrong}`);
}

/**
 * A version as text of a URL or a message, as a number from 1 to `MAX_VERSION`; decimal digits without a leading zero,
 * anything else throws MALFORMED_REQUEST. The empty text is refused too: callers say what "no version" looks like.
 */
export function parseVersion(text: string): number {
  const version = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0;
  if (version >= 1 && version <= MAX_VERSION) return version;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `the model version ${shown(text)} is not an integer from 1 to ${MAX_VERSION} in decimal digits`,
  );
}

/** Why `name` is not a single, visible path segment, or undefined where it is one. Also used for names of files. */
export function wrongName(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name.length > MAX_MODEL_NAME_LENGTH)
    return `has ${name.length} characters, at most ${MAX_MODEL_NAME_LENGTH} are allowed`;
  if (name.startsWith('.')) return 'begins with a dot';
  if (FORBIDDEN.test(name)) return "holds a path separator ('/' or '\\') or a control character";
  if (/\p{Cs}/u.test(name)) return 'is not well-formed Unicode';
  return undefined;
}

/** A caller's text inside a message: quoted, escaped and short, whatever it holds. */
function shown(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
}
