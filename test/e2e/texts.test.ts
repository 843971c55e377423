import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelFolder } from '../support/model-folder.js';
import { RunningGateway } from '../support/running-gateway.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLES = `${ROOT}deploy/examples/texts/models`;

interface Reference {
  readonly texts: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly mean: readonly number[];
    readonly normalized: readonly number[];
    readonly first: readonly number[];
    readonly last: readonly number[];
    readonly splade: readonly number[];
  }[];
  readonly pairs: readonly { readonly query: string; readonly text: string; readonly logit: number }[];
  readonly prompted: readonly number[];
}

/** What Hugging Face's tokenizers and onnxruntime make of texts (make_reference.py). */
const REFERENCE = JSON.parse(readFileSync(`${ROOT}test/fixtures/texts/reference.json`, 'utf8')) as Reference;
const TEXTS = REFERENCE.texts.map(({ text }) => text);
const QUERY = REFERENCE.pairs[0]!.query;

const BROKEN = {
  missing: 'none',
  'not-json': '{',
  'word-level': JSON.stringify({ model: { type: 'WordLevel', vocab: { a: 0 } } }),
  'without-vocabulary': JSON.stringify({ model: { type: 'WordPiece' } }),
};

let gateway: RunningGateway;

beforeAll(async () => {
  const folder = new ModelFolder();
  const like = (name: string, config: string, tokenizer = 'whole') => {
    const from = name === 'ranked' ? 'relevance' : 'sentences';
    cpSync(join(EXAMPLES, from, '1'), join(folder.path, name, '1'), { recursive: true });
    folder.write(`${name}/config.yaml`, config);
    const whole = readFileSync(join(EXAMPLES, from, 'tokenizer.json'), 'utf8');
    if (tokenizer !== 'none') folder.write(`${name}/tokenizer.json`, tokenizer === 'whole' ? whole : tokenizer);
  };
  for (const name of ['sentences', 'relevance'])
    cpSync(join(EXAMPLES, name), join(folder.path, name), { recursive: true });
  like('first', 'text: { pooling: cls, normalize: false, auto_truncate: true, max_tokens: 16 }\n');
  like('last', 'max_batch_size: 0\ntext: { pooling: last, normalize: false }\n');
  like('sparse', 'text: { pooling: splade }\n');
  like('decoupled', 'text: {}\nmodel_transaction_policy: { decoupled: true }\n');
  like('mixed', 'text: { task: rerank, pooling: splade }\n');
  like('ranked', 'text: { task: classify }\noutput: [{ name: logits, label_filename: labels.txt }]\n');
  folder.write('ranked/labels.txt', 'fits\n');
  for (const [name, tokenizer] of Object.entries(BROKEN)) like(name, 'text: {}\n', tokenizer);
  like('misnamed', 'text: { mask: attention_mosk }\n');
  gateway = await RunningGateway.start(folder, ['--embedding-model', 'sentences', '--max-client-batch-size', '40']);
});
afterAll(() => gateway?.stop());

async function post(path: string, body: unknown) {
  const sent = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await gateway.call(path, { method: 'POST', body: sent });
  return { status: answer.status, body: answer.json() };
}

/** Farthest that two vectors are apart in any number. */
function apart(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number))));
}

function fromBase64(text: string): number[] {
  const bytes = Buffer.from(text, 'base64');
  return [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)];
}

describe('embeddings as OpenAI has them', () => {
  it("are those of onnxruntime and Hugging Face's tokenizers, long and short texts together, in both formats", async () => {
    const { status, body } = await post('/v1/embeddings', { model: 'sentences', input: TEXTS, user: 'somebody' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ object: 'list', model: 'sentences' });
    const tokens = REFERENCE.texts.reduce((sum, { ids }) => sum + ids.length, 0);
    expect(body.usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens });
    for (const [i, one] of body.data.entries()) {
      expect(one).toMatchObject({ object: 'embedding', index: i });
      expect(apart(one.embedding, REFERENCE.texts[i]!.normalized)).toBeLessThan(1e-5);
    }
    const coded = await post('/v1/embeddings', { model: 'sentences', input: TEXTS, encoding_format: 'base64' });
    for (const [i, one] of coded.body.data.entries())
      expect(apart(fromBase64(one.embedding), REFERENCE.texts[i]!.normalized)).toBeLessThan(1e-5);
  });

  it('take tokens for texts, one or several', async () => {
    const lists = REFERENCE.texts.map(({ ids }) => ids);
    const several = await post('/v1/embeddings', { model: 'sentences', input: lists });
    const one = await post('/openai/v1/embeddings', { input: lists[1] });
    expect(one.body.data).toHaveLength(1);
    expect(apart(one.body.data[0].embedding, several.body.data[1].embedding)).toBeLessThan(1e-6);
    expect(apart(one.body.data[0].embedding, REFERENCE.texts[1]!.normalized)).toBeLessThan(1e-5);
  });

  it('are cut to the dimensions asked for, and of the length 1 again', async () => {
    const { body } = await post('/v1/embeddings', { model: 'sentences', input: TEXTS[1], dimensions: 8 });
    const kept = REFERENCE.texts[1]!.mean.slice(0, 8);
    const norm = Math.hypot(...kept);
    expect(
      apart(
        body.data[0].embedding,
        kept.map((value) => value / norm),
      ),
    ).toBeLessThan(1e-5);
  });

  it('answer a large body, which is read and made tokens on other threads, in parts', async () => {
    const input = Array.from({ length: 2000 }, (_, i) => `${TEXTS[2]} ${'and so on '.repeat(i % 16)}${i}`);
    expect(JSON.stringify(input).length).toBeGreaterThan(256 * 1024);
    const { status, body } = await post('/v1/embeddings', { model: 'sentences', input });
    expect(status).toBe(200);
    const alone = await post('/v1/embeddings', { model: 'sentences', input: input[1777] });
    expect(apart(body.data[1777].embedding, alone.body.data[0].embedding)).toBeLessThan(1e-5);
  });

  it.each([
    [{ input: [] }, 400, 'input', null],
    [{ input: '' }, 400, 'input', null],
    [{ input: 7 }, 400, 'input', null],
    [{ input: [1, 'a'] }, 400, 'input', null],
    [{ input: [[1, 2.5]] }, 400, 'input', null],
    [{ input: [[99_999]] }, 400, null, null],
    [{ input: 'batch '.repeat(300) }, 400, 'input', 'context_length_exceeded'],
    [{ input: ['a', 'batch '.repeat(70_000)] }, 400, 'input', 'context_length_exceeded'],
    [{ input: [Array.from({ length: 300 }, () => 5)] }, 400, 'input', 'context_length_exceeded'],
    [{ input: ['a', ''] }, 400, 'input', null],
    [{ input: 'a', dimensions: 0 }, 400, 'dimensions', null],
    [{ input: 'a', dimensions: 49 }, 400, 'dimensions', null],
    [{ input: 'a', encoding_format: 'hex' }, 400, 'encoding_format', null],
    [{ input: Array.from({ length: 2049 }, () => 'a') }, 400, 'input', null],
    [{ input: 'a', model: 'none-such' }, 404, null, 'model_not_found'],
    [{ input: 'a', model: 'relevance' }, 400, 'model', null],
    ['[1', 400, null, null],
    ['[]', 400, null, null],
    ['{"input": "\u0000', 400, null, null],
  ])('refuse %j with %i in the form that OpenAI has', async (body, status, param, code) => {
    const given = typeof body === 'string' ? body : { model: 'sentences', ...body };
    const refused = await post('/v1/embeddings', given);
    expect(refused.status).toBe(status);
    expect(refused.body).toEqual({
      error: { message: expect.stringMatching(/./), type: 'invalid_request_error', param, code },
    });
  });

  it('are refused in words that clients look for where a text is too long', async () => {
    const { body } = await post('/v1/embeddings', { model: 'sentences', input: ['a', 'batch '.repeat(300)] });
    expect(body.error.message).toMatch(
      /^This model's maximum context length is 256 tokens, however text 1 .* has \d+ tokens/,
    );
  });

  it('stand beside models in a list that has what KServe lists too', async () => {
    const { body } = await gateway.call('/v1/models').then((answer) => ({ body: answer.json() }));
    expect(body.models).toContain('sentences');
    expect(body.object).toBe('list');
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual(body.models);
    const one = (await gateway.call('/v1/models/sentences')).json();
    expect(one).toMatchObject({ id: 'sentences', object: 'model', owned_by: 'penstock', ready: true });
    expect(Math.abs(Date.now() / 1000 - one.created)).toBeLessThan(600);
  });

  it('are all there is: text is not generated, and that is said', async () => {
    for (const path of ['/v1/completions', '/v1/chat/completions', '/v1/responses']) {
      const { status, body } = await post(path, { model: 'sentences', messages: [] });
      expect([status, body.error.type]).toEqual([501, 'invalid_request_error']);
      expect(body.error.message).toMatch(/not generated/);
    }
  });
});

describe('text-embeddings-inference', () => {
  it('gives vectors, as they are or of the length 1, by the pooling of the model', async () => {
    const { body } = await post('/embed', { inputs: TEXTS });
    for (const [i, vector] of body.entries()) expect(apart(vector, REFERENCE.texts[i]!.normalized)).toBeLessThan(1e-5);
    const raw = await post('/', { inputs: TEXTS[1], normalize: false });
    expect(raw.body).toHaveLength(1);
    expect(apart(raw.body[0], REFERENCE.texts[1]!.mean)).toBeLessThan(1e-5);
    const prompted = await post('/embed', { inputs: TEXTS[1], prompt_name: 'query' });
    expect(apart(prompted.body[0], REFERENCE.prompted)).toBeLessThan(1e-5);
    for (const name of ['first', 'last'] as const) {
      const pooled = await post('/embed', { inputs: TEXTS.slice(0, 2), model: name });
      for (const [i, vector] of pooled.body.entries())
        expect(apart(vector, REFERENCE.texts[i]![name])).toBeLessThan(1e-5);
    }
  });

  it('gives a vector a token', async () => {
    const { body } = await post('/embed_all', { inputs: TEXTS.slice(0, 3) });
    for (const [i, rows] of body.entries()) {
      const { ids, first, last } = REFERENCE.texts[i]!;
      expect(rows).toHaveLength(ids.length);
      expect(apart(rows[0], first)).toBeLessThan(1e-5);
      expect(apart(rows.at(-1), last)).toBeLessThan(1e-5);
    }
  });

  it('gives the weights of tokens by SPLADE, those that are not 0, and tells times and counts beside them', async () => {
    const answer = await gateway.call('/embed_sparse', { method: 'POST', body: JSON.stringify({ inputs: TEXTS }) });
    for (const [i, values] of answer.json().entries()) {
      const { splade } = REFERENCE.texts[i]!;
      const dense = splade.map(() => 0);
      for (const { index, value } of values) dense[index] = value;
      expect(apart(dense, splade)).toBeLessThan(1e-5);
      expect(values).toHaveLength(splade.filter((value) => value !== 0).length);
    }
    const characters = TEXTS.reduce((sum, text) => sum + [...text].length, 0);
    const tokens = REFERENCE.texts.reduce((sum, { ids }) => sum + ids.length, 0);
    expect(answer.headers).toMatchObject({
      'x-compute-characters': String(characters),
      'x-compute-tokens': String(tokens),
      'x-queue-time': expect.stringMatching(/^\d+$/),
      'x-inference-time': expect.stringMatching(/^\d+$/),
      'x-tokenization-time': expect.stringMatching(/^\d+$/),
      'x-total-time': expect.stringMatching(/^\d+$/),
      'x-compute-time': expect.stringMatching(/^\d+$/),
    });
  });

  it('cuts texts that are too long where it is told to, from either side', async () => {
    const long = TEXTS[5]!;
    const refused = await post('/embed', { inputs: long, model: 'first', truncate: false });
    expect([refused.status, refused.body.error_type]).toEqual([422, 'Validation']);
    expect(refused.body.error).toMatch(/at most 16 tokens, found \d+/);
    for (const truncation_direction of ['Left', 'right']) {
      const cut = await post('/embed_all', { inputs: long, model: 'first', truncation_direction });
      expect(cut.body[0]).toHaveLength(16);
    }
  });

  it('orders texts by their relevance, with scores of onnxruntime', async () => {
    const texts = REFERENCE.pairs.map(({ text }) => text);
    const { body } = await post('/rerank', { query: QUERY, texts, raw_scores: true, return_text: true });
    const scores = body.map(({ score }: { score: number }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    for (const { index, text, score } of body) {
      expect(text).toBe(texts[index]);
      expect(Math.abs(score - REFERENCE.pairs[index]!.logit)).toBeLessThan(1e-4);
    }
    const [best] = (await post('/rerank', { query: QUERY, texts })).body;
    expect(best.index).toBe(body[0].index);
    expect(best.score).toBeCloseTo(1 / (1 + Math.exp(-scores[0])), 5);
    expect(best.text).toBeUndefined();
  });

  it('ranks documents as Cohere, Jina and vLLM do', async () => {
    const texts = REFERENCE.pairs.map(({ text }) => text);
    const documents = texts.map((text, i) => (i % 2 === 0 ? text : { text }));
    for (const path of ['/v1/rerank', '/v2/rerank', '/rerank']) {
      const { status, body } = await post(path, { query: QUERY, documents, top_n: 3, return_documents: true });
      expect([status, body.model, body.results.length]).toEqual([200, 'relevance', 3]);
      for (const { index, relevance_score, document } of body.results) {
        expect(document).toEqual({ text: texts[index] });
        expect(relevance_score).toBeCloseTo(1 / (1 + Math.exp(-REFERENCE.pairs[index]!.logit)), 4);
      }
      expect(body.usage.total_tokens).toBeGreaterThan(10);
    }
    const long = await post('/v1/rerank', { query: QUERY, documents: ['batch '.repeat(3000)] });
    expect(long.status).toBe(200);
    const refused = await post('/v1/rerank', { query: QUERY, documents: ['batch '.repeat(3000)], truncation: false });
    expect(refused).toMatchObject({ status: 400, body: { message: expect.stringMatching(/at most 512 tokens/) } });
    for (const [body, status] of [
      [{ query: '', documents: ['a'] }, 400],
      [{ query: 'a', documents: [] }, 400],
      [{ query: 'a', documents: [{ title: 'a' }] }, 400],
      [{ query: 'a', documents: ['a'], top_n: 0 }, 400],
      [{ query: 'a', documents: ['a'], max_tokens_per_doc: 9 }, 501],
      [{ query: 'a', documents: ['a'], model: 'sentences' }, 400],
      [{ query: 'a', documents: Array.from({ length: 1001 }, () => 'a') }, 400],
    ] as const) {
      const { status: found, body: told } = await post('/v1/rerank', body);
      expect([found, typeof told.message, told.detail]).toEqual([status, 'string', told.message]);
    }
  });

  it('says how near sentences are to another, and what classes texts are of', async () => {
    const inputs = { source_sentence: TEXTS[1], sentences: [TEXTS[2], TEXTS[1]] };
    const { body } = await post('/similarity', { inputs });
    const [a, b] = [REFERENCE.texts[1]!.normalized, REFERENCE.texts[2]!.normalized];
    expect(body[0]).toBeCloseTo(
      a.reduce((sum, value, i) => sum + value * (b[i] as number), 0),
      4,
    );
    expect(body[1]).toBeCloseTo(1, 5);
    const pair = await post('/predict', { inputs: [QUERY, TEXTS[2]], model: 'ranked', raw_scores: true });
    expect(pair.body).toHaveLength(1);
    expect(pair.body[0].label).toBe('fits');
    expect(pair.body[0].score).toBeCloseTo(REFERENCE.pairs[2]!.logit, 3);
    const batch = await post('/predict', { inputs: [[QUERY, TEXTS[2]], [QUERY]], model: 'ranked' });
    expect(batch.body.map((one: unknown[]) => one.length)).toEqual([1, 1]);
  });

  it('makes tokens of texts and texts of tokens', async () => {
    const { body } = await post('/tokenize', { inputs: TEXTS.slice(0, 2) });
    for (const [i, tokens] of body.entries())
      expect(tokens.map(({ id }: { id: number }) => id)).toEqual(REFERENCE.texts[i]!.ids);
    expect(body[0][0]).toEqual({ id: 2, text: '[CLS]', special: true, start: null, stop: null });
    expect(body[1].slice(1, -1).map(({ start, stop }: Record<string, number>) => TEXTS[1]!.slice(start, stop))).toEqual(
      body[1].slice(1, -1).map(({ text }: { text: string }) => text),
    );
    const bytes = (await post('/tokenize', { inputs: '漢 é', add_special_tokens: false })).body[0];
    expect(bytes.map(({ text, start, stop }: Record<string, unknown>) => [text, start, stop])).toEqual([
      ['漢', 0, 3],
      ['é', 4, 6],
    ]);
    const bare = await post('/tokenize', { inputs: TEXTS[0], add_special_tokens: false });
    expect(bare.body[0]).toHaveLength(REFERENCE.texts[0]!.ids.length - 2);
    expect((await post('/decode', { ids: REFERENCE.texts[1]!.ids })).body).toEqual(['how do i roll back a version?']);
    const kept = await post('/decode', { ids: [REFERENCE.texts[0]!.ids], skip_special_tokens: false });
    expect(kept.body).toEqual(['[CLS] x [SEP]']);
  });

  it('says whether it takes requests', async () => {
    const healthy = await gateway.call('/health');
    // Models that are refused at load are declared ones that are not ready.
    expect(healthy.status).toBe(503);
    expect(healthy.json()).toEqual({ error: expect.stringMatching(/not ready/), error_type: 'Unhealthy' });
  });

  it('says what model it has', async () => {
    const info = (await gateway.call('/info')).json();
    expect(info).toMatchObject({
      model_id: 'sentences',
      model_type: { embedding: { pooling: 'mean' } },
      max_input_length: 256,
      max_batch_tokens: 16_384,
      max_client_batch_size: 40,
      max_concurrent_requests: 10_000,
      tokenization_workers: expect.any(Number),
      auto_truncate: false,
    });
    expect((await gateway.call('/info?model=relevance')).json().model_type.reranker.id2label).toEqual({ 0: 'LABEL_0' });
  });

  it.each([
    ['/embed', { inputs: '' }, 400, 'Empty'],
    ['/embed', {}, 422, 'Validation'],
    ['/embed', { inputs: ['a', 3] }, 422, 'Validation'],
    ['/embed', { inputs: Array.from({ length: 41 }, () => 'a') }, 422, 'Validation'],
    ['/embed', { inputs: 'a', prompt_name: 'toString' }, 422, 'Validation'],
    ['/embed', { inputs: 'a', truncation_direction: 'up' }, 422, 'Validation'],
    ['/embed', { inputs: 'a', model: 'none-such' }, 404, 'Validation'],
    ['/embed', { inputs: 'a', model: '../etc' }, 404, 'Validation'],
    ['/embed', '{', 422, 'Validation'],
    ['/embed_all', { inputs: [] }, 400, 'Empty'],
    ['/similarity', { inputs: { source_sentence: 'a', sentences: [] } }, 400, 'Empty'],
    ['/similarity', { inputs: 'a' }, 422, 'Validation'],
    ['/rerank', { query: 'a', texts: [] }, 400, 'Empty'],
    ['/rerank', { texts: ['a'] }, 422, 'Validation'],
    ['/predict', { inputs: ['a', 'b', 'c'], model: 'ranked' }, 422, 'Validation'],
    ['/predict', { inputs: [['a'], 'b'], model: 'ranked' }, 422, 'Validation'],
    ['/tokenize', { inputs: [] }, 400, 'Empty'],
    ['/tokenize', '{', 422, 'Validation'],
    ['/tokenize', { inputs: 'a '.repeat(40_000) }, 422, 'Validation'],
    ['/decode', { ids: [1, -1] }, 422, 'Validation'],
    ['/decode', { ids: [99_999] }, 422, 'Validation'],
    ['/embed_sparse', { inputs: '' }, 400, 'Empty'],
    ['/embed_sparse', { inputs: 'a', model: 'sentences' }, 422, 'Validation'],
    ['/embed', { inputs: 'a', model: 'sparse' }, 422, 'Validation'],
  ])('refuses %s of %j with %i', async (path, body, status, kind) => {
    const refused = await post(path, body);
    expect(refused.body).toEqual({ error: expect.stringMatching(/./), error_type: kind });
    expect(refused.status).toBe(status);
  });
});

describe('a model of texts', () => {
  it.each([
    ['missing', /tokenizer missing\/tokenizer.json does not exist/],
    ['not-json', /tokenizer not-json\/tokenizer.json: not JSON/],
    ['word-level', /expected WordPiece, BPE, Unigram, found "WordLevel"/],
    ['without-vocabulary', /tokenizer without-vocabulary\/tokenizer.json: /],
    [
      'decoupled',
      /(text: expected a model with one answer a request|models of the backend 'script' can give several responses)/,
    ],
    ['mixed', /text.pooling: expected none with task rerank, found splade/],
    ['misnamed', /text.mask: expected one of .*, found 'attention_mosk'.*attention_mask/],
  ])('that cannot be one is refused when it is loaded: %s', async (name, why) => {
    const rows = (await gateway.call('/v2/repository/index', { method: 'POST', body: '{}' })).json();
    const row = rows.find((one: { name: string }) => one.name === name);
    expect(row.state).toBe('UNAVAILABLE');
    expect(row.reason).toMatch(why);
    const refused = await post('/v1/embeddings', { model: name, input: 'a' });
    expect(refused.status).toBe(503);
  });

  it('serves its tensors as ever, and says what it is in its config', async () => {
    const { ids, first } = REFERENCE.texts[1]!;
    const input = (name: string, data: readonly number[]) => ({
      name,
      datatype: 'INT64',
      shape: [1, ids.length],
      data,
    });
    const inputs = [
      input('input_ids', ids),
      input(
        'attention_mask',
        ids.map(() => 1),
      ),
      input(
        'token_type_ids',
        ids.map(() => 0),
      ),
    ];
    const { body } = await post('/v2/models/sentences/infer', { inputs });
    expect(apart(body.outputs[0].data.slice(0, first.length), first)).toBeLessThan(1e-5);
    const config = (await gateway.call('/v2/models/sentences/config')).json();
    expect(config.parameters['penstock.text.pooling']).toEqual({ string_value: 'mean' });
  });
});
