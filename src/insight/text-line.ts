/**
 * One log line for people: `2026-01-31T12:00:00.000Z WARN  message key=value`. What is in a value never begins a line of
 * its own: texts with spaces, quotes or control characters are quoted as JSON.
 */
export function textLine(json: string): string {
  const { level, time, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${plain(value)}`);
  return `${time} ${String(level).toUpperCase().padEnd(5)} ${oneLine(String(msg))}${rest.join('')}\n`;
}

function plain(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@%+,[\]-]+$/.test(value)) return value;
  return JSON.stringify(value) ?? 'undefined';
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
  return text.replace(/[\u0000-\u001f\u007f]/g, (c) => JSON.stringify(c).slice(1, -1));
}
