/** A model as OpenAI's `/v1/models` lists it; `created`: seconds since 1970, when this server began to serve. */
export function openAiModel(id: string, created: number) {
  return { id, object: 'model', created, owned_by: 'penstock' } as const;
}
