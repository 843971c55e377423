/**
 * The payload log against a real Kafka (`npm run test:kafka`; needs java, mvn, openssl): a gateway writes requests and answers to two
 * topics, one in binary mode with gzip, one in structured mode over TLS with SCRAM. The broker is killed in between and comes back;
 * meanwhile every request is answered. Kafka's own console consumer then has to find every event.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import kafkajs from 'kafkajs';
import { Broker } from './broker.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'penstock-kafka-check-'));
const broker = new Broker(work);
let gateway;
try {
  await broker.prepare();
  await broker.start();
  await createTopics();
  writeFileSync(join(work, 'password'), 'of-this-check\n');
  const common = { source: '/check', retries: 20, timeoutMs: 2000 };
  const secure = {
    tls: { caFile: broker.caFile },
    sasl: { mechanism: 'scram-sha-256', username: 'penstock', passwordFile: 'password' },
  };
  const payloadLog = {
    models: [{ model: 'digits' }],
    kafka: [
      { ...common, name: 'plain', brokers: [broker.address], topic: 'plain', compression: 'gzip' },
      { ...common, name: 'secure', brokers: [broker.secureAddress], topic: 'secure', mode: 'structured', ...secure },
    ],
  };
  writeFileSync(join(work, 'penstock.yaml'), JSON.stringify({ payloadLog }));
  gateway = await startGateway();
  await ask(0, 300);
  await eventually(
    '300 rows are in both topics',
    async () => (await rows('plain')) === 300 && (await rows('secure')) === 300,
  );
  await broker.kill();
  const slowestMs = await ask(300, 200);
  await eventually('what cannot be sent is tried again', async () => (await metric('retries_total', 'plain')) > 0);
  await broker.start();
  await eventually(
    'what waited is in both topics',
    async () => (await rows('plain')) === 500 && (await rows('secure')) === 500,
  );
  const endsMs = performance.now();
  gateway.child.kill('SIGTERM');
  await gateway.ended;
  const endMs = performance.now() - endsMs;

  const plain = check(broker.read('plain', 1000), binaryEvent);
  const secured = check(broker.read('secure', 1000), structuredEvent);
  process.stdout.write(
    `Kafka 3.9.1: 500 requests, the broker killed after 300 and started again.\n` +
      `  binary, gzip: ${plain} messages; structured, TLS and SCRAM-SHA-256: ${secured} messages; every request and answer is there.\n` +
      `  Without a broker 200 requests were answered, the slowest in ${slowestMs.toFixed(0)} ms; the end took ${endMs.toFixed(0)} ms.\n`,
  );
} finally {
  gateway?.child.kill('SIGKILL');
  if (broker.runs) await broker.kill();
  rmSync(work, { recursive: true });
}

async function createTopics() {
  const admin = new kafkajs.Kafka({ brokers: [broker.address], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: true,
    topics: [{ topic: 'plain', numPartitions: 3 }, { topic: 'secure' }],
  });
  await admin.disconnect();
}

async function startGateway() {
  const ports = ['--http-port=0', '--grpc-port=0', '--metrics-port=0', '--state-dir=off'];
  const args = [join(ROOT, 'dist/cli/penstock.cjs'), 'serve', join(ROOT, 'deploy/examples/models'), ...ports];
  const child = spawn(process.execPath, [
    ...args,
    '--config',
    join(work, 'penstock.yaml'),
    ...(process.env.PENSTOCK_TEST_FLAGS ?? '').split(' ').filter(Boolean),
  ]);
  child.stderr.on('data', () => {});
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const [, url, metrics] = await new Promise((resolve, reject) => {
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      const match = /HTTP and WebSocket +(http:\S+)[\s\S]*Metrics +(http:\S+)/.exec(out);
      if (match !== null) resolve(match);
    });
    void ended.then((code) => reject(new Error(`the gateway ended with ${code}`)));
  });
  return { child, ended, url, metrics };
}

function pixels(i) {
  return Array.from({ length: 64 }, (_, k) => (i * 64 + k) % 17);
}

/** Asks so many from number `first` on, ten at a time; gives the slowest. */
async function ask(first, count) {
  let slowestMs = 0;
  const one = async (i) => {
    const beganMs = performance.now();
    const inputs = [{ name: 'pixels', datatype: 'FP32', shape: [1, 64], data: pixels(i) }];
    const body = JSON.stringify({ id: `r${i}`, inputs });
    const answer = await fetch(`${gateway.url}/v2/models/digits/infer`, { method: 'POST', body });
    assert.equal(answer.status, 200, await answer.text());
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
  };
  for (let i = first; i < first + count; i += 10) await Promise.all(Array.from({ length: 10 }, (_, k) => one(i + k)));
  return slowestMs;
}

async function metric(name, sink) {
  const text = await (await fetch(gateway.metrics)).text();
  return Number(new RegExp(`^penstock_payload_log_${name}{sink="${sink}"} (\\S+)$`, 'm').exec(text)?.[1]);
}

function rows(sink) {
  return metric('rows_total', sink);
}

async function eventually(what, done) {
  for (let left = 600; left > 0; left--) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within a minute: ${what}`);
}

function binaryEvent([headers, key, value]) {
  const of = (name) => new RegExp(`(?:^|,)ce_${name}:([^,]*)`).exec(headers)?.[1];
  return { key, id: of('id'), type: of('type'), model: of('inferenceservicename'), data: JSON.parse(value) };
}

function structuredEvent([headers, key, value]) {
  assert.match(headers, /content-type:application\/cloudevents\+json/);
  const { id, type, inferenceservicename: model, data } = JSON.parse(value);
  return { key, id, type, model, data };
}

/** Every request and its answer, at least once, under the key of its id. */
function check(lines, eventOf) {
  const seen = new Set();
  for (const line of lines) {
    const { key, id, type, model, data } = eventOf(line);
    assert.equal(key, id);
    assert.equal(model, 'digits');
    const half = type.split('.').at(-1);
    seen.add(`${id} ${half}`);
    if (half === 'request') assert.deepEqual(data.inputs[0].data, pixels(Number(id.slice(1))));
    else assert.equal(data.outputs.length > 0, true);
  }
  const missing = Array.from({ length: 500 }, (_, i) => [`r${i} request`, `r${i} response`])
    .flat()
    .filter((event) => !seen.has(event));
  assert.deepEqual(missing, []);
  return lines.length;
}
