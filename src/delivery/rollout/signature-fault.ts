import type { ModelSpec, TensorSpec } from '../../core/index.js';

/**
 * Why requests that the baseline takes would be refused by the candidate, or get less; undefined: they fit. A request that only
 * one arm refuses looks like a caller's mistake, which nobody counts: so this is asked before anything begins. Pure.
 */
export function signatureFault(baseline: ModelSpec, candidate: ModelSpec): string | undefined {
  for (const input of candidate.inputs) {
    const before = baseline.inputs.find(({ name }) => name === input.name);
    if (before === undefined && !input.optional)
      return `needs the input '${input.name}', which version ${version(baseline)} has not`;
    const differs = before && difference(before, input);
    if (differs !== undefined) return `input '${input.name}' ${differs}`;
    if (before?.optional === true && !input.optional)
      return `needs the input '${input.name}', which requests for version ${version(baseline)} may leave out`;
  }
  for (const { name } of baseline.inputs)
    if (!candidate.inputs.some((input) => input.name === name))
      return `has no input '${name}', which version ${version(baseline)} takes`;
  for (const output of baseline.outputs) {
    const after = candidate.outputs.find(({ name }) => name === output.name);
    if (after === undefined) return `has no output '${output.name}', which version ${version(baseline)} gives`;
    if (after.dataType !== output.dataType)
      return `output '${output.name}' is ${after.dataType}, not ${output.dataType}`;
  }
  return undefined;
}

function difference(before: TensorSpec, after: TensorSpec): string | undefined {
  if (before.dataType !== after.dataType) return `is ${after.dataType}, not ${before.dataType}`;
  const fits =
    before.dims.length === after.dims.length && after.dims.every((size, i) => size === -1 || size === before.dims[i]);
  return fits ? undefined : `has dims [${after.dims.join(', ')}], not [${before.dims.join(', ')}]`;
}

function version({ id }: ModelSpec): number {
  return id.version;
}
