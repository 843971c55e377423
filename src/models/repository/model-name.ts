import { ServingError } from '../../core/index.js';

const MOST_BYTES = 255;

/**
 * Why `name` cannot be the name of a model, or undefined. A model's name is the name of a folder and a part of URLs: no
 * separators of either kind, no control characters, not hidden, no blanks at its ends.
 */
export function modelNameFault(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (Buffer.byteLength(name) > MOST_BYTES) return `it is longer than ${MOST_BYTES} bytes`;
  if (name.startsWith('.')) return 'it starts with a dot';
  if (/[/\\]/.test(name)) return 'it holds a path separator';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'it holds a control character';
  return name.trim() === name ? undefined : 'it starts or ends with a blank';
}

/** Throws MODEL_INVALID where `name` cannot name a model. */
export function checkModelName(name: string): void {
  const fault = modelNameFault(name);
  if (fault === undefined) return;
  const shown = JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name);
  throw new ServingError('MODEL_INVALID', `invalid model name ${shown}: ${fault}`);
}

/** The version that a folder name means: a positive integer without leading zero, exact in a double; else undefined. */
export function versionOfFolder(name: string): number | undefined {
  if (!/^[1-9][0-9]{0,15}$/.test(name)) return undefined;
  const version = Number(name);
  return Number.isSafeInteger(version) ? version : undefined;
}
