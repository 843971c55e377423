/**
 * Milliseconds since the epoch of a date (`2026-11-21`) or an instant (`2026-11-21T14:00`, `...Z`, `...+01:00`); without a zone it
 * is UTC. Undefined where it is neither.
 */
export function instantOf(text: string): number | undefined {
  const match = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(text.trim());
  if (match === null) return undefined;
  const iso = text.trim().replace(' ', 'T');
  const ms = Date.parse(match[1] === undefined || match[4] !== undefined ? iso : `${iso}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}
