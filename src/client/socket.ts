/** What a stream needs of a WebSocket: the part that browsers and the package `ws` have alike. */
export interface Socket {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(frame: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  /** Stops reading, so that the server has to wait. Browsers' sockets cannot. */
  pause?(): void;
  resume?(): void;
}

/** Begins a connection. Rejects where it cannot even begin. */
export type OpenSocket = (url: string, headers: Readonly<Record<string, string>>) => Promise<Socket>;

/** How a connection closed, in words; `why`: of the error before it, which browsers do not tell. */
export function closingText({ code, reason }: { code?: number; reason?: string }, why: string): string {
  return [code, reason, why].filter((word) => word !== undefined && word !== '').join(' ');
}
