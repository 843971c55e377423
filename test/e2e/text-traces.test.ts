import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { GrpcClient } from '../support/grpc-server.js';
import { ModelFolder } from '../support/model-folder.js';
import { OtlpReceiver } from '../support/otlp-receiver.js';
import { RunningGateway } from '../support/running-gateway.js';

const EXAMPLES = fileURLToPath(new URL('../../deploy/examples/texts/models', import.meta.url));

const traceparent = (number: number) => `00-${number.toString(16).padStart(32, 'b')}-00f067aa0ba902b7-01`;

it('traces of calls of texts say what was asked and how many tokens it was, as OpenTelemetry names it', async () => {
  const receiver = await OtlpReceiver.start();
  const folder = new ModelFolder();
  cpSync(EXAMPLES, folder.path, { recursive: true });
  const flags = ['--tracing-endpoint', receiver.httpUrl, '--tracing-percent', '0'];
  const gateway = await RunningGateway.start(folder, flags);
  const client = new GrpcClient(gateway.grpcPort);
  try {
    expect((await gateway.call('/health')).status).toBe(200);
    const input = ['one text', 'another one'];
    const body = { model: 'sentences', input, encoding_format: 'base64' };
    const { usage } = (await gateway.post('/v1/embeddings', body, { traceparent: traceparent(1) })).json();
    await gateway.post('/rerank', { query: 'a', texts: ['b'] }, { traceparent: traceparent(2) });
    const metadata = { traceparent: traceparent(3) };
    await client.unary('Embed', { inputs: 'a' }, { service: 'tei.v1.Embed', metadata });
    const spans = [...(await receiver.named('infer sentences', 2)), ...(await receiver.named('infer relevance', 1))];
    const of = (number: number) =>
      spans.find(({ traceId }) => traceId === traceparent(number).split('-')[1])!.attributes;
    expect(of(1)).toMatchObject({
      'gen_ai.operation.name': 'embeddings',
      'gen_ai.provider.name': 'penstock',
      'gen_ai.request.model': 'sentences',
      'gen_ai.response.model': 'sentences',
      'gen_ai.usage.input_tokens': usage.prompt_tokens,
      'gen_ai.request.encoding_formats': { values: [expect.objectContaining({ stringValue: 'base64' })] },
    });
    expect(of(2)).toMatchObject({ 'gen_ai.operation.name': 'rerank', 'gen_ai.request.model': 'relevance' });
    expect(of(2)).not.toHaveProperty('gen_ai.request.encoding_formats');
    expect(of(3)).toMatchObject({ 'gen_ai.operation.name': 'embeddings', 'gen_ai.usage.input_tokens': 3 });
  } finally {
    client.close();
    await gateway.stop();
    await receiver.close();
  }
}, 60_000);
