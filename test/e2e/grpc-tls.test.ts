import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { GrpcClient, INFERENCE, methodOf } from '../support/grpc-server.js';
import { refusedStart } from '../support/refused-start.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
const pem = (name: string) => readFileSync(fixture(name));
const KEYS = [`--grpc-server-cert=${fixture('server.pem')}`, `--grpc-server-key=${fixture('server.key')}`];

/** The name of the model that answers, or the code of the failure. */
function infer(port: number, secret: Parameters<typeof credentials.createSsl>): Promise<unknown> {
  const client = new Client(`localhost:${port}`, credentials.createSsl(...secret));
  const { path, requestSerialize, responseDeserialize } = methodOf(INFERENCE, 'ModelInfer');
  const message = {
    model_name: 'steady',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 4] }],
    raw_input_contents: [Buffer.alloc(16)],
  };
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + 10_000 };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, options, (error, answer) => {
      client.close();
      resolve(error === null ? (answer as { model_name: string }).model_name : error.code);
    });
  });
}

describe('gRPC over TLS', () => {
  it('answers who trusts its root, and nobody without TLS', async () => {
    const gateway = await RunningGateway.start(repositoryOf({ steady: 'identity_fixed' }), ['--grpc-use-ssl', ...KEYS]);
    try {
      expect(await infer(gateway.grpcPort, [pem('ca.pem')])).toBe('steady');
      expect(await infer(gateway.grpcPort, [])).toBe(14);
      const plain = new GrpcClient(gateway.grpcPort);
      const refused = await plain.unary('ServerLive', {}, { deadlineMs: 2000 }).catch(({ code }) => code);
      expect([4, 14]).toContain(refused);
      plain.close();
    } finally {
      expect(await gateway.stop()).toBe(0);
    }
  });

  it('takes only clients with a certificate where it is mutual', async () => {
    const flags = ['--grpc-use-ssl-mutual', ...KEYS, `--grpc-root-cert=${fixture('ca.pem')}`];
    const gateway = await RunningGateway.start(repositoryOf({ steady: 'identity_fixed' }), flags);
    try {
      const { grpcPort } = gateway;
      expect(await infer(grpcPort, [pem('ca.pem'), pem('client.key'), pem('client.pem')])).toBe('steady');
      expect(await infer(grpcPort, [pem('ca.pem')])).toBe(14);
    } finally {
      expect(await gateway.stop()).toBe(0);
    }
  });

  it.each([
    [['--grpc-use-ssl'], /certFile and keyFile/],
    [['--grpc-use-ssl', '--grpc-server-cert=/none', '--grpc-server-key=/none'], /'\/none' cannot be read \(ENOENT\)/],
    [
      ['--grpc-use-ssl', KEYS[0] as string, `--grpc-server-key=${fixture('client.key')}`],
      /grpc\.tls\.keyFile: .* is not the key of/,
    ],
    [['--grpc-use-ssl-mutual', ...KEYS], /rootFile/],
  ])('refuses to start with %j', (flags, why) => {
    const { status, stderr } = refusedStart(flags);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(why);
  });
});
