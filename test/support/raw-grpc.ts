import { type ClientHttp2Session, connect, constants } from 'node:http2';

export interface RawAnswer {
  readonly status: number;
  readonly message: string;
  readonly reason: string | undefined;
  readonly bytes: Buffer;
}

/** A gRPC client that frames messages itself, to send what a stock client would not. */
export class RawGrpc {
  readonly session: ClientHttp2Session;

  constructor(port: number) {
    this.session = connect(`http://127.0.0.1:${port}`);
    // A session that is cut is one way for a call to end; the calls tell of it.
    this.session.on('error', () => {});
  }

  /** Sends one framed message; `compressed` sets the frame's flag, `unread` leaves the answer unread. Resolves when the stream is closed. */
  call(
    path: string,
    message: Buffer,
    options: { compressed?: boolean; unread?: boolean; headers?: Record<string, string> } = {},
  ): Promise<RawAnswer> {
    const stream = this.session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...options.headers,
    });
    const frame = Buffer.alloc(5 + message.length);
    frame[0] = options.compressed ? 1 : 0;
    frame.writeUInt32BE(message.length, 1);
    message.copy(frame, 5);
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let trailers: Record<string, unknown> = {};
      stream.on('response', (headers) => (trailers = { ...trailers, ...headers }));
      stream.on('trailers', (headers) => (trailers = { ...trailers, ...headers }));
      if (!options.unread) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', () => {});
      stream.on('close', () =>
        resolve({
          status: Number(trailers['grpc-status']),
          message: decodeURI(String(trailers['grpc-message'] ?? '')),
          reason: trailers['x-penstock-reason'] as string | undefined,
          bytes: Buffer.concat(chunks),
        }),
      );
      stream.end(frame);
    });
  }

  destroy(): void {
    this.session.destroy();
  }
}
