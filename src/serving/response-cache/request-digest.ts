import { createHash } from 'node:crypto';
import type { BatchMember } from '../../core/index.js';

/**
 * What two requests for one version have in common where their answers do: SHA-256 of which inputs are there, their shapes and
 * their bytes (names and data types are the version's). All 256 bits, so nobody can make two requests that share it. The bytes are read
 * where they lie.
 */
export function requestDigest({ inputs }: BatchMember): string {
  const hash = createHash('sha256');
  // All lengths before the first byte: nothing of one input can be read as part of another.
  let head = '';
  for (const tensor of inputs) head += tensor === undefined ? ';' : `${tensor.shape.join()}:${tensor.data.byteLength};`;
  hash.update(head);
  for (const tensor of inputs) if (tensor !== undefined) hash.update(tensor.data);
  return hash.digest('binary');
}
