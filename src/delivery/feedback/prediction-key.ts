/** One text for a model and the id of a request. Names of models hold no control character. */
export function predictionKey(model: string, requestId: string): string {
  return `${model}\n${requestId}`;
}
