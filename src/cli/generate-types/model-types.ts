import type { ModelMetadata, PenstockClient } from '../../client/index.js';

/** A tensor of a model as its clients have to write it; -1 = any size. */
export interface TypedTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly optional: boolean;
}

export interface VersionTypes {
  readonly version: string;
  readonly inputs: readonly TypedTensor[];
  readonly outputs: readonly TypedTensor[];
}

/** A model with every version that is ready, ascending. */
export interface ModelTypes {
  readonly name: string;
  readonly versions: readonly VersionTypes[];
}

/** What a gateway says of models, by name; `names` empty: of all that have a version that is ready. */
export async function typesOfModels(client: PenstockClient, names: readonly string[]): Promise<ModelTypes[]> {
  const all = names.length > 0 ? names : (await client.repositoryIndex(true)).map(({ name }) => name);
  const models: ModelTypes[] = [];
  for (const name of [...new Set(all)].sort()) {
    const { versions } = await client.modelMetadata(name);
    const types = versions.map((version) => typesOfVersion(client, name, version));
    models.push({ name, versions: await Promise.all(types) });
  }
  return models;
}

async function typesOfVersion(client: PenstockClient, name: string, version: string): Promise<VersionTypes> {
  const { inputs, outputs } = await client.modelMetadata(name, version);
  const optional = await optionalInputs(client, name, version);
  const tensors = (side: ModelMetadata['inputs']) =>
    side.map((tensor) => ({ ...tensor, optional: optional.has(tensor.name) }));
  return {
    version,
    inputs: tensors(inputs),
    outputs: tensors(outputs).map((tensor) => ({ ...tensor, optional: false })),
  };
}

/** The metadata do not say which inputs may be left out; the configuration does. */
async function optionalInputs(client: PenstockClient, name: string, version: string): Promise<Set<string>> {
  const { input = [] } = (await client.modelConfig(name, version)) as {
    readonly input?: readonly { readonly name: string; readonly optional?: boolean }[];
  };
  return new Set(input.filter(({ optional }) => optional === true).map((tensor) => tensor.name));
}

/** Whether two versions have the same types. */
export function sameTypes(a: VersionTypes, b: VersionTypes): boolean {
  return JSON.stringify([a.inputs, a.outputs]) === JSON.stringify([b.inputs, b.outputs]);
}
