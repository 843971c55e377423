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
}

/** Begins a connection. Rejects where it cannot even begin. */
export type OpenSocket = (url: string, headers: Readonly<Record<string, string>>) => Promise<Socket>;
