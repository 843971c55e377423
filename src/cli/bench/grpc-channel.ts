import { Client, credentials } from '@grpc/grpc-js';
import type { Channel } from './channel.js';
import { refusalOverGrpc } from './refusal.js';

const INFER = '/inference.GRPCInferenceService/ModelInfer';
const METADATA = '/inference.GRPCInferenceService/ModelMetadata';
/** Calls that share one HTTP/2 connection. */
const CALLS_PER_CONNECTION = 8;
const CONNECT_MS = 10_000;
const LARGEST_MESSAGE_BYTES = 2 ** 31 - 1;

const pass = (bytes: Buffer) => bytes;

/** `count` channels of one ModelInfer call each, eight to a connection; bytes in, bytes out. */
export async function grpcChannels(host: string, port: number, count: number): Promise<Channel[]> {
  const clients = Array.from({ length: Math.ceil(count / CALLS_PER_CONNECTION) }, (_, i) => grpcClient(host, port, i));
  try {
    for (const client of clients) await connectedClient(client, host, port);
  } catch (thrown) {
    for (const client of clients) client.close();
    throw thrown;
  }
  return Array.from({ length: count }, (_, i) => {
    const client = clients[i % clients.length]!;
    let open = true;
    return {
      send(request, settle) {
        client.makeUnaryRequest(INFER, pass, pass, request as Buffer, (error) => {
          if (open) settle(error?.message, error === null ? undefined : refusalOverGrpc(error.code));
        });
      },
      close() {
        open = false;
        client.close();
      },
    };
  });
}

/** One ModelMetadata call: request bytes to answer bytes. Rejects with a sentence. */
export async function callModelMetadata(host: string, port: number, request: Buffer): Promise<Buffer> {
  const client = grpcClient(host, port, 0);
  try {
    await connectedClient(client, host, port);
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(METADATA, pass, pass, request, (error, answer) =>
        answer === undefined ? reject(error ?? new Error('no answer')) : resolve(answer),
      );
    });
  } finally {
    client.close();
  }
}

function grpcClient(host: string, port: number, number: number): Client {
  return new Client(`${host}:${port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': LARGEST_MESSAGE_BYTES,
    'grpc.max_send_message_length': LARGEST_MESSAGE_BYTES,
    // Channels with equal options share a connection: a number keeps them apart.
    'penstock.bench.channel': number,
  });
}

function connectedClient(client: Client, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + CONNECT_MS, (error) =>
      error === undefined || error === null ? resolve() : reject(new Error(`no gRPC server at ${host}:${port}`)),
    );
  });
}
