const MOST_CHARACTERS = 500;

/**
 * What a caller may read of something a script threw: the first line of its message, without stack and with absolute
 * paths left out (they tell a stranger where things lie).
 */
export function scriptMessage(thrown: unknown): string {
  const [line = ''] = textOf(thrown).split('\n', 1);
  const shown = line.replace(/(?:file:\/\/)?(?<![\w.])(?:\/[^\s/'"`:()]+){2,}\/?/g, '<path>');
  return shown.length > MOST_CHARACTERS ? `${shown.slice(0, MOST_CHARACTERS)}...` : shown;
}

function textOf(thrown: unknown): string {
  try {
    const inside = typeof thrown === 'object' && thrown !== null && 'message' in thrown;
    return String(inside ? thrown.message : thrown);
  } catch {
    return 'an unreadable error';
  }
}
