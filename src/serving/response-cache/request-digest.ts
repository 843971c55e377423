import { createHash } from 'node:crypto';
import type { BatchMember, Parameters } from '../../core/index.js';

/**
 * What two requests for one version have in common where their answers do: SHA-256 of which inputs are there, their shapes and
 * their bytes (names and data types are the version's), and the parameters, where the answer may depend on them. All 256 bits, so nobody can make two requests that share it. The bytes are read
 * where they lie.
 */
export function requestDigest({ inputs }: BatchMember, parameters: Parameters | undefined): string {
  const hash = createHash('sha256');
  // All lengths before the first byte: nothing of one input can be read as part of another.
  let head = '';
  for (const tensor of inputs) head += tensor === undefined ? ';' : `${tensor.shape.join()}:${tensor.data.byteLength};`;
  if (parameters !== undefined) head += parametersText(parameters);
  hash.update(head);
  for (const tensor of inputs) if (tensor !== undefined) hash.update(tensor.data);
  return hash.digest('binary');
}

/** What the server itself is told by, whatever the model: such a parameter changes no answer. */
const OF_SERVER = /^(?:x-)?penstock[_-]|^triton_|^trace(?:parent|state)$/;

/** In the order of their names; an integer of 64 bits is not the text of its digits. Empty where there is none. */
function parametersText(parameters: Parameters): string {
  const named = Object.keys(parameters)
    .filter((name) => !OF_SERVER.test(name))
    .sort()
    .map((name) => {
      const value = parameters[name];
      return [name, typeof value, String(value)];
    });
  return named.length === 0 ? '' : `${JSON.stringify(named)};`;
}
