import { isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';

/** A YAML or JSON text as a plain value, with the lines its members stand on. */
export interface ReadDocument {
  /** Undefined for an empty text. */
  readonly value: unknown;
  /** First fault of the syntax, or undefined. */
  readonly fault: { readonly message: string; readonly line: number } | undefined;
  /** Line (from 1) of the member at `path`, or of the nearest one around it; undefined for the root. */
  lineOf(path: readonly PropertyKey[]): number | undefined;
}

/** Reads YAML (1.2, aliases bounded, no custom tags), and so JSON too. Duplicate keys are faults. */
export function readDocument(text: string): ReadDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const [error] = document.errors;
  const lineAt = (offset: number) => lines.linePos(offset).line;
  if (error !== undefined)
    return { value: undefined, fault: { message: error.message, line: lineAt(error.pos[0]) }, lineOf: () => undefined };
  return {
    value: document.toJS({ maxAliasCount: 100 }) ?? undefined,
    fault: undefined,
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const keys = path.slice(0, length);
        const parent = document.getIn(keys.slice(0, -1), true);
        // The line of the key, where it has one: a block value starts on the line after.
        const pair = isMap(parent)
          ? parent.items.find(({ key }) => isScalar(key) && key.value === keys.at(-1))
          : undefined;
        const node = pair?.key ?? document.getIn(keys, true);
        if (isNode(node) && node.range) return lineAt(node.range[0]);
      }
      return undefined;
    },
  };
}
