import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CallOptions, GrpcClient, HEALTH, type Message } from '../support/grpc-server.js';
import { ModelFolder } from '../support/model-folder.js';
import { RunningGateway } from '../support/running-gateway.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLES = `${ROOT}deploy/examples/texts/models`;
/** What Hugging Face's tokenizers and onnxruntime make of texts (make_reference.py). */
const REFERENCE = JSON.parse(readFileSync(`${ROOT}test/fixtures/texts/reference.json`, 'utf8'));
const TEXTS: readonly string[] = REFERENCE.texts.map(({ text }: { text: string }) => text);
const QUERY: string = REFERENCE.pairs[0].query;

let gateway: RunningGateway;
let client: GrpcClient;

beforeAll(async () => {
  const folder = new ModelFolder();
  for (const name of ['sentences', 'relevance'])
    cpSync(join(EXAMPLES, name), join(folder.path, name), { recursive: true });
  cpSync(join(EXAMPLES, 'sentences'), join(folder.path, 'sparse'), { recursive: true });
  folder.write('sparse/config.yaml', 'text: { pooling: splade }\n');
  gateway = await RunningGateway.start(folder, ['--max-client-batch-size', '8']);
  client = new GrpcClient(gateway.grpcPort);
});
afterAll(async () => {
  client?.close();
  await gateway?.stop();
});

const call = (path: string, message: Message, options: CallOptions = {}) => {
  const [service, name] = path.split('/') as [string, string];
  return client.unary(name, message, { ...options, service: `tei.v1.${service}` });
};
const stream = (path: string, options: CallOptions = {}) => {
  const [service, name] = path.split('/') as [string, string];
  return client.bidi(name, { ...options, service: `tei.v1.${service}` });
};

function apart(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number))));
}

function dense(values: readonly { readonly index: number; readonly value: number }[], size: number): number[] {
  const all = Array.from({ length: size }, () => 0);
  for (const { index, value } of values) all[index] = value;
  return all;
}

describe('the gRPC services of text-embeddings-inference', () => {
  it("give the vectors of onnxruntime and Hugging Face's tokenizers, as they are or of the length 1", async () => {
    for (const [i, inputs] of TEXTS.entries()) {
      const { normalized, mean, ids } = REFERENCE.texts[i];
      const { embeddings, metadata } = await call('Embed/Embed', { inputs });
      expect(apart(embeddings, normalized)).toBeLessThan(1e-5);
      expect(metadata).toMatchObject({ compute_chars: [...inputs].length, compute_tokens: ids.length });
      expect(metadata.total_time_ns).toBeGreaterThan(metadata.inference_time_ns);
      const raw = await call('Embed/Embed', { inputs, normalize: false });
      expect(apart(raw.embeddings, mean)).toBeLessThan(1e-5);
    }
    const prompted = await call('Embed/Embed', { inputs: TEXTS[1], prompt_name: 'query' });
    expect(apart(prompted.embeddings, REFERENCE.prompted)).toBeLessThan(1e-5);
    const cut = await call('Embed/Embed', { inputs: TEXTS[1], dimensions: 8 });
    expect([cut.embeddings.length, Math.hypot(...cut.embeddings).toFixed(5)]).toEqual([8, '1.00000']);
  });

  it('tell counts and times before the answer, and the way of the request after it', async () => {
    const headers: Record<string, unknown> = {};
    const trailers: Record<string, unknown> = {};
    const onCall: CallOptions['onCall'] = (one) => {
      one.on('metadata', (metadata) => Object.assign(headers, metadata.getMap()));
      one.on('status', ({ metadata }) => Object.assign(trailers, metadata.getMap()));
    };
    await call('Embed/Embed', { inputs: TEXTS[4] }, { onCall, metadata: { 'x-penstock-explain': 'true' } });
    expect(headers).toMatchObject({
      'x-compute-characters': String([...TEXTS[4]!].length),
      'x-compute-tokens': String(REFERENCE.texts[4].ids.length),
      'x-total-time': expect.stringMatching(/^\d+$/),
      'x-compute-time': expect.stringMatching(/^\d+$/),
      'x-tokenization-time': expect.stringMatching(/^\d+$/),
      'x-queue-time': expect.stringMatching(/^\d+$/),
      'x-inference-time': expect.stringMatching(/^\d+$/),
    });
    expect(trailers).toMatchObject({ 'x-penstock-version': '1', 'x-penstock-batch-size': '1' });
  });

  it('give a vector a token, and the weights of SPLADE', async () => {
    const { token_embeddings: rows } = await call('Embed/EmbedAll', { inputs: TEXTS[2] });
    const { ids, first, last, splade } = REFERENCE.texts[2];
    expect(rows).toHaveLength(ids.length);
    expect(apart(rows[0].embeddings, first)).toBeLessThan(1e-5);
    expect(apart(rows.at(-1).embeddings, last)).toBeLessThan(1e-5);
    const { sparse_embeddings: values, metadata } = await call('Embed/EmbedSparse', { inputs: TEXTS[2] });
    expect(apart(dense(values, splade.length), splade)).toBeLessThan(1e-5);
    expect(metadata.compute_tokens).toBe(ids.length);
  });

  it('answer streams in the order of their messages', async () => {
    const texts = Array.from({ length: 60 }, (_, i) => TEXTS[i % TEXTS.length] as string);
    const vectors = stream('Embed/EmbedStream')
      .send(...texts.map((inputs) => ({ inputs })))
      .half();
    expect(await vectors.ended).toBeUndefined();
    expect(vectors.messages).toHaveLength(60);
    for (const [i, { embeddings }] of vectors.messages.entries())
      expect(apart(embeddings, REFERENCE.texts[i % TEXTS.length].normalized)).toBeLessThan(1e-5);
    for (const [path, field] of [
      ['Embed/EmbedSparseStream', 'sparse_embeddings'],
      ['Embed/EmbedAllStream', 'token_embeddings'],
      ['Tokenize/TokenizeStream', 'tokens'],
    ] as const) {
      const received = stream(path).send({ inputs: 'a' }, { inputs: TEXTS[2] }).half();
      expect(await received.ended).toBeUndefined();
      expect(received.messages.map((one) => one[field].length > 0)).toEqual([true, true]);
    }
    const decoded = stream('Tokenize/DecodeStream')
      .send({ ids: REFERENCE.texts[1].ids, skip_special_tokens: true }, { ids: REFERENCE.texts[0].ids })
      .half();
    await decoded.ended;
    expect(decoded.messages).toEqual([{ text: 'how do i roll back a version?' }, { text: '[CLS] x [SEP]' }]);
  });

  it('rank texts by the scores of onnxruntime, at once and as they come', async () => {
    const texts = REFERENCE.pairs.map(({ text }: { text: string }) => text);
    const asked = { query: QUERY, raw_scores: true, return_text: true };
    const { ranks } = await call('Rerank/Rerank', { ...asked, texts });
    for (const { index, text, score } of ranks) {
      expect(text).toBe(texts[index]);
      expect(Math.abs(score - REFERENCE.pairs[index].logit)).toBeLessThan(1e-4);
    }
    const scores = ranks.map(({ score }: { score: number }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    const messages = texts.map((text: string) => ({ ...asked, text }));
    const gathered = await client.gathered('RerankStream', messages, { service: 'tei.v1.Rerank' });
    expect(gathered.ranks.map(({ index }: Message) => index)).toEqual(ranks.map(({ index }: Message) => index));
  });

  it('give classes of texts and of pairs, one by one and in streams', async () => {
    const pair = { inputs: [QUERY, TEXTS[2]], raw_scores: true };
    const { predictions } = await call('Predict/PredictPair', pair);
    expect(predictions).toEqual([{ label: 'LABEL_0', score: expect.closeTo(REFERENCE.pairs[2].logit, 3) }]);
    expect((await call('Predict/Predict', { inputs: 'a' })).predictions).toHaveLength(1);
    const pairs = stream('Predict/PredictPairStream')
      .send(pair, { inputs: ['alone'] })
      .half();
    await pairs.ended;
    expect(pairs.messages[0]!.predictions).toEqual(predictions);
    expect(pairs.messages).toHaveLength(2);
    const several = stream('Predict/PredictStream').send({ inputs: 'a' }, { inputs: 'b' }).half();
    await several.ended;
    expect(several.messages).toHaveLength(2);
  });

  it('make tokens of texts and texts of tokens', async () => {
    const { tokens } = await call('Tokenize/Tokenize', { inputs: TEXTS[1], add_special_tokens: true });
    expect(tokens.map(({ id }: { id: number }) => id)).toEqual(REFERENCE.texts[1].ids);
    expect(tokens[0]).toMatchObject({ id: 2, text: '[CLS]', special: true });
    expect(tokens[0]._start).toBeUndefined();
    expect(tokens[1]).toMatchObject({ text: 'How', special: false, start: 0, stop: 3 });
    const { tokens: bare } = await call('Tokenize/Tokenize', { inputs: TEXTS[1] });
    expect(bare).toHaveLength(tokens.length - 2);
    const decoded = await call('Tokenize/Decode', { ids: REFERENCE.texts[1].ids, skip_special_tokens: true });
    expect(decoded).toEqual({ text: 'how do i roll back a version?' });
  });

  it('say what model there is, and which of them is ready', async () => {
    const info = await call('Info/Info', {});
    expect(info).toMatchObject({
      model_id: 'sentences',
      model_type: 'MODEL_TYPE_EMBEDDING',
      max_input_length: 256,
      max_client_batch_size: 8,
    });
    const other = await call('Info/Info', {}, { metadata: { 'x-penstock-model': 'relevance' } });
    expect(other).toMatchObject({ model_id: 'relevance', model_type: 'MODEL_TYPE_RERANKER' });
    for (const service of ['tei.v1.Embed', 'tei.v1.Rerank', 'tei.v1.Tokenize'])
      expect(await client.unary('Check', { service }, { service: HEALTH })).toEqual({ status: 'SERVING' });
  });

  it.each([
    ['Embed/Embed', { inputs: '' }, 'INVALID_ARGUMENT', /'inputs' cannot be empty/],
    ['Embed/Embed', { inputs: 'a '.repeat(300) }, 'INVALID_ARGUMENT', /at most 256 tokens/],
    ['Embed/Embed', { inputs: 'a', dimensions: 0 }, 'INVALID_ARGUMENT', /'dimensions'/],
    ['Embed/Embed', { inputs: 'a', dimensions: 900 }, 'INVALID_ARGUMENT', /at most 48/],
    ['Embed/Embed', { inputs: 'a', prompt_name: 'toString' }, 'INVALID_ARGUMENT', /'prompt_name'/],
    ['Embed/Embed', { inputs: 'a', truncation_direction: 7 }, 'INVALID_ARGUMENT', /'truncation_direction'/],
    ['Rerank/Rerank', { query: 'a', texts: [] }, 'INVALID_ARGUMENT', /'texts' cannot be empty/],
    ['Rerank/Rerank', { query: '', texts: ['a'] }, 'INVALID_ARGUMENT', /'query' cannot be empty/],
    ['Rerank/Rerank', { query: 'a', texts: 'abcdefghi'.split('') }, 'INVALID_ARGUMENT', /at most 8 texts, found 9/],
    ['Predict/PredictPair', { inputs: [] }, 'INVALID_ARGUMENT', /single or two elements/],
    ['Predict/PredictPair', { inputs: ['a', 'b', 'c'] }, 'INVALID_ARGUMENT', /single or two elements, found 3/],
    ['Tokenize/Decode', { ids: [] }, 'INVALID_ARGUMENT', /'ids' cannot be empty/],
    ['Tokenize/Decode', { ids: [99_999] }, 'INVALID_ARGUMENT', /expected ids of tokens below/],
    ['Tokenize/Decode', { ids: [4_294_967_295] }, 'INVALID_ARGUMENT', /expected a token id/],
  ] as const)('refuse %s of %j', async (path, message, code, details) => {
    const refused = { code: status[code], details: expect.stringMatching(details) };
    await expect(call(path, message)).rejects.toMatchObject(refused);
  });

  it('refuse broken messages, models that are not there or of another task, and texts that are far too long', async () => {
    const broken = call('Embed/Embed', {}, { bytes: Buffer.from([0x0a, 0xff]) });
    await expect(broken).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    const of = (model: string) => call('Embed/Embed', { inputs: 'a' }, { metadata: { 'x-penstock-model': model } });
    await expect(of('none')).rejects.toMatchObject({ code: status.NOT_FOUND });
    await expect(of('relevance')).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    const long = call('Tokenize/Tokenize', { inputs: 'a '.repeat(1_100_000) });
    await expect(long).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('end a stream by the first message that fails, after the answers before it', async () => {
    const received = stream('Embed/EmbedStream').send(
      { inputs: 'a' },
      { inputs: 'b' },
      { inputs: '' },
      { inputs: 'c' },
    );
    expect(await received.ended).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(received.messages).toHaveLength(2);
    const ranked = (messages: readonly object[]) =>
      client.gathered('RerankStream', messages, { service: 'tei.v1.Rerank' });
    await expect(ranked([])).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    const queries = [
      { query: 'a', text: 'b' },
      { query: 'c', text: 'b' },
    ];
    await expect(ranked(queries)).rejects.toMatchObject({ details: expect.stringMatching(/'query': expected that/) });
  });

  it('keep deadlines, and let go of what its client cancelled', async () => {
    const late = call('Embed/Embed', { inputs: TEXTS[5] }, { deadlineMs: 0 });
    await expect(late).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    const cancelled = stream('Embed/EmbedStream').send(...TEXTS.map((inputs) => ({ inputs })));
    cancelled.call.cancel();
    expect(await cancelled.ended).toMatchObject({ code: status.CANCELLED });
    expect((await call('Embed/Embed', { inputs: 'still here' })).embeddings).toHaveLength(48);
  });
});
