const MOST_CHARACTERS = 500;

/**
 * What a caller may read of something a script threw: the first line of its message, without stack and with absolute
 * paths left out (they tell a stranger where things lie).
 */
export function scriptMessage(thrown: unknown): string {
  const text = thrown instanceof Error || hasMessage(thrown) ? String(thrown.message) : String(thrown);
  const [line = ''] = text.split('\n', 1);
  const shown = line.replace(/(?:file:\/\/)?(?<![\w.])(?:\/[^\s/'"`:()]+){2,}\/?/g, '<path>');
  return shown.length > MOST_CHARACTERS ? `${shown.slice(0, MOST_CHARACTERS)}...` : shown;
}

function hasMessage(thrown: unknown): thrown is { message: unknown } {
  return typeof thrown === 'object' && thrown !== null && 'message' in thrown;
}
