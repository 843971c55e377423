/** Field names whose text is never logged. Counts such as `tokens: 12` are figures, so only text is hidden. */
const SECRET_NAME = /token|authorization|secret|password|passphrase|api[-_]?key|cookie|credential/i;
/** A credential inside any text. */
const BEARER = /\b(bearer|basic)\s+[\w.~+/=-]{6,}/gi;
const HIDDEN = '[hidden]';
const DEEPEST = 5;
const MOST_ITEMS = 100;

/** Fields as they may be logged: secrets hidden, errors as plain data with their causes, nothing deep or endless. */
export function redact(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactRecord(fields, 0);
}

/** A text without the credentials in it. */
export function redactText(text: string): string {
  return text.replace(BEARER, `$1 ${HIDDEN}`);
}

function redactRecord(record: object, depth: number): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record).slice(0, MOST_ITEMS)) {
    const secret = SECRET_NAME.test(name) && typeof value !== 'number' && typeof value !== 'boolean' && value != null;
    out[name] = secret ? HIDDEN : redactValue(value, depth + 1);
  }
  return out;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEEPEST) return '[...]';
  if (value instanceof Error) return errorFields(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map((item) => redactValue(item, depth + 1));
  if (value instanceof Date) return value.toISOString();
  return redactRecord(value instanceof Map ? Object.fromEntries(value) : value, depth);
}

function errorFields(error: Error, depth: number): Record<string, unknown> {
  const own = redactRecord({ ...error }, depth);
  const fields = { type: error.name, message: redactText(error.message), ...own, stack: redactText(error.stack ?? '') };
  return error.cause === undefined ? fields : { ...fields, cause: redactValue(error.cause, depth + 1) };
}
