/** The data of server-sent events as they come; comments and other fields are left out. Leaving it ends the connection. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // Only what came is searched: an event may come in many pieces.
      const lines = decoder.decode(value, { stream: true }).split('\n');
      lines[0] = rest + lines[0];
      rest = lines.pop() as string;
      for (const line of lines) {
        const text = line.endsWith('\r') ? line.slice(0, -1) : line;
        if (text.startsWith('data:')) data.push(text.slice(text[5] === ' ' ? 6 : 5));
        if (text !== '' || data.length === 0) continue;
        const event = data.join('\n');
        data = [];
        yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
