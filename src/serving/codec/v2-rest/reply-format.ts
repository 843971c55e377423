/** How a request wants each output: as JSON or as binary data. */
export interface ReplyFormat {
  /** For outputs that say nothing themselves: `parameters.binary_data_output` of the request. */
  readonly binary: boolean;
  /** Outputs with a `parameters.binary_data` of their own; undefined where none has. */
  readonly byName: ReadonlyMap<string, boolean> | undefined;
}

export const JSON_REPLY: ReplyFormat = Object.freeze({ binary: false, byName: undefined });
export const BINARY_REPLY: ReplyFormat = Object.freeze({ binary: true, byName: undefined });

export function wantsBinary(format: ReplyFormat, output: string): boolean {
  return format.byName?.get(output) ?? format.binary;
}
