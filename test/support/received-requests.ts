import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as it came, its body whole. */
export interface ReceivedRequest {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server that answers what `status` says to whatever comes, once `take` has it. Not listening yet. */
export function receiverOf(take: (request: ReceivedRequest) => void, status = () => 204): Server {
  return createServer((request, reply) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      take({ headers: request.headers, body });
      reply.writeHead(status()).end();
    });
  });
}

/** Lets a server listen on any free port of this machine; gives its address, with a slash at the end. */
export async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
