import { ServingError } from './errors.js';

/** Longest model name in bytes of UTF-8: what file systems allow a folder. */
const MAX_NAME_BYTES = 255;
/** Highest model version. The protocols carry versions as text or int64; a double is exact up to here. */
export const MAX_VERSION = Number.MAX_SAFE_INTEGER;

// Separators of every system, and what would forge a line of a log or a header.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[/\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/**
 * Returns a model name as clients gave it (already decoded, once), or throws MALFORMED_REQUEST for what `wrongName` says.
 * A name that passes is a single path segment on every system.
 */
export function checkModelName(name: string): string {
  const wrong = wrongName(name);
  if (wrong === undefined) return name;
  throw new ServingError('MALFORMED_REQUEST', `the model name ${shownText(name)} ${wrong}`);
}

/**
 * Why `name` is not a single, visible path segment, or undefined where it is one. The one rule for the names of models, in
 * requests and as folders, and for names of files in load requests: not empty, at most 255 bytes, no leading dot (so neither
 * `.`, `..` nor hidden folders), no path separator or control character, no blank at its ends.
 */
export function wrongName(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (isLong(name)) return `is longer than ${MAX_NAME_BYTES} bytes`;
  if (name.startsWith('.')) return 'begins with a dot';
  if (FORBIDDEN.test(name)) return "holds a path separator ('/' or '\\') or a control character";
  if (/\p{Cs}/u.test(name)) return 'is not well-formed Unicode';
  return name.trim() === name ? undefined : 'begins or ends with a blank';
}

/** A UTF-16 unit takes one to three bytes: most names need no encoding to tell. */
function isLong(name: string): boolean {
  if (name.length * 3 <= MAX_NAME_BYTES) return false;
  return name.length > MAX_NAME_BYTES || new TextEncoder().encode(name).byteLength > MAX_NAME_BYTES;
}

/**
 * A version as text of a URL or a message, as a number from 1 to `MAX_VERSION`; decimal digits without a leading zero,
 * anything else throws MALFORMED_REQUEST. The empty text is refused too: callers say what "no version" looks like.
 */
export function parseVersion(text: string): number {
  const version = versionOf(text);
  if (version !== undefined && version <= MAX_VERSION) return version;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `the model version ${shownText(text)} is not an integer from 1 to ${MAX_VERSION} in decimal digits`,
  );
}

/** The number that decimal digits without a leading zero mean, inexact above `MAX_VERSION`; undefined for other text. */
export function versionOf(text: string): number | undefined {
  return /^[1-9][0-9]*$/.test(text) ? Number(text) : undefined;
}

/** A caller's text inside a message: quoted, escaped and short, whatever it holds. */
export function shownText(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
}
