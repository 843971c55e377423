import { isMap, isSeq, parseDocument } from 'yaml';
import { z } from 'zod';
import { SCOPES, ServingError } from '../../core/index.js';
import { readDocument } from '../document.js';
import { faultsOf, pathText } from '../issues.js';

/** More would make each check slow: a token is compared with all of them. */
const MOST_TOKENS = 256;

const token = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 letters, digits, dots, dashes and underscores'),
  scopes: z.array(z.enum(SCOPES)).min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in 64 hexadecimal digits (penstock token create)'),
  created: z.string().max(64).optional(),
});

const schema = z.strictObject({ tokens: z.array(token).max(MOST_TOKENS).default([]) });

/** One token of a tokens file: never itself, only its hash. */
export type TokenRow = z.output<typeof token>;

/** The tokens of a file's text; `file` is what messages call it. Throws MALFORMED_REQUEST with the lines at fault. */
export function parseTokens(text: string, file: string): readonly TokenRow[] {
  const { value, fault, lineOf } = readDocument(text);
  if (fault !== undefined) throw new ServingError('MALFORMED_REQUEST', `${file}:${fault.line}: ${fault.message}`);
  const parsed = schema.safeParse(value ?? {}, { reportInput: true });
  if (!parsed.success) {
    const faults = faultsOf(schema, parsed.error).map(({ path, message }) => {
      const line = lineOf(path);
      return `${file}${line === undefined ? '' : `:${line}`}: ${pathText(path)}: ${message}`;
    });
    throw new ServingError('MALFORMED_REQUEST', faults.join('; '));
  }
  const { tokens } = parsed.data;
  const twice = tokens.findIndex(({ name }, index) => tokens.findIndex((other) => other.name === name) < index);
  if (twice >= 0) {
    const line = lineOf(['tokens', twice, 'name']);
    throw new ServingError('MALFORMED_REQUEST', `${file}:${line}: the name '${tokens[twice]!.name}' is given twice`);
  }
  return tokens;
}

/** The text with one token more, comments kept. The text must parse (`parseTokens`). Throws MALFORMED_REQUEST where there are too many. */
export function withToken(text: string, row: TokenRow): string {
  const document = parseDocument(text);
  const rows = document.get('tokens');
  if (isSeq(rows) && rows.items.length >= MOST_TOKENS)
    throw new ServingError('MALFORMED_REQUEST', `a tokens file holds at most ${MOST_TOKENS} tokens; revoke some`);
  if (isSeq(rows)) rows.add(document.createNode(row));
  else if (isMap(document.contents)) document.set('tokens', document.createNode([row]));
  else document.contents = document.createNode({ tokens: [row] }) as never;
  return document.toString({ lineWidth: 0 });
}

/** The text without the token of that name; undefined where it has none. */
export function withoutToken(text: string, name: string): string | undefined {
  const document = parseDocument(text);
  const rows = document.get('tokens');
  const index = isSeq(rows) ? rows.items.findIndex((row) => isMap(row) && row.get('name') === name) : -1;
  if (index < 0) return undefined;
  document.deleteIn(['tokens', index]);
  return document.toString({ lineWidth: 0 });
}
