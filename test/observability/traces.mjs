// node test/observability/traces.mjs: spans of requests by HTTP, WebSocket and gRPC, exported over OTLP/HTTP and OTLP/gRPC by gateways
// with 0 and 2 ingress threads, read by opentelemetry-proto (PyPI) and judged: parents, kinds, times, links with batches. Ends
// with 1 where one is not as it has to be; says what it saw in a line, also to the file that $FIGURE names.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { WebSocket } from 'ws';
import { pythonVenv } from '../../native-bench/python-venv.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const PACKAGES = ['opentelemetry-proto==1.45.2', 'grpcio==1.85.1'];
const PROTOCOLS = ['http', 'websocket', 'grpc'];
const STAGES = ['admit', 'compute', 'decode', 'encode', 'queue', 'scatter'];
const CALLER = '00f067aa0ba902b7';
const WITHIN_MS = 60_000;

const traceOf = (index) => (index + 1).toString(16).padStart(32, 'b');
const parentOf = (index) => `00-${traceOf(index)}-${CALLER}-01`;
const inputs = [{ name: 'INPUT0', shape: [1, 1], datatype: 'FP32', data: [1] }];

/** The collector: its ports, and the spans it has received so far. */
async function startReceiver(python) {
  const child = spawn(python, [here('otlp_receiver.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [first] = await once(lines, 'line');
  const spans = [];
  const waiting = [];
  lines.on('line', (line) => {
    spans.push(JSON.parse(line));
    for (const look of waiting) look();
  });
  /** Resolves when it holds, which is looked at with every span. */
  const until = (holds, what) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not within ${WITHIN_MS} ms: ${what}`)), WITHIN_MS);
      const look = () => {
        if (!holds()) return;
        clearTimeout(late);
        resolve();
      };
      waiting.push(look);
      look();
    });
  return { ports: JSON.parse(first), spans, until, end: () => child.stdin.end() };
}

async function startGateway(models, flags) {
  const program = here('../../dist/cli/penstock.cjs');
  const free = ['--http-port=0', '--grpc-port=0', '--metrics-port=0', '--state-dir=off', '--log-info=false'];
  const child = spawn(process.execPath, [program, 'serve', models, ...free, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const line of createInterface({ input: child.stdout })) {
    text += `${line}\n`;
    if (/Metrics +http/.test(line)) break;
  }
  const port = (listener) => Number(new RegExp(`${listener} +\\S*?:(\\d+)`).exec(text.replaceAll('http://', ''))?.[1]);
  const stop = async () => {
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    assert.equal(code, 0, 'the gateway ends well');
  };
  return { http: `127.0.0.1:${port('HTTP and WebSocket')}`, grpc: `127.0.0.1:${port('gRPC')}`, stop };
}

/** One request by each protocol, each in a trace of its own, by its place in `PROTOCOLS`. */
async function sendAll({ http, grpc }) {
  const headers = { traceparent: parentOf(0) };
  const answer = await fetch(`http://${http}/v2/models/m/infer`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ inputs }),
  });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('traceresponse') ?? '', new RegExp(`^00-${traceOf(0)}-\\w{16}-01$`));

  const socket = new WebSocket(`ws://${http}/v2/models/m/stream`, { headers: { traceparent: parentOf(1) } });
  await once(socket, 'open');
  const answered = once(socket, 'message');
  socket.send(JSON.stringify({ inputs }));
  const [frame] = await answered;
  assert.match(JSON.parse(String(frame)).parameters.traceresponse, new RegExp(`^00-${traceOf(1)}-`));
  socket.close();

  const service = loadSync(here('../../protos/grpc_service.proto'), { keepCase: true })[
    'inference.GRPCInferenceService'
  ];
  const { path, requestSerialize, responseDeserialize } = service.ModelInfer;
  const client = new Client(grpc, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('traceparent', parentOf(2));
  const typed = [{ ...inputs[0], contents: { fp32_contents: [1] } }];
  await new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { model_name: 'm', inputs: typed },
      metadata,
      (error) => (error === null ? resolve() : reject(error)),
    );
  });
  client.close();
}

function judge(spans) {
  const named = (name) => spans.filter((span) => span.name === name);
  for (const [index, protocol] of PROTOCOLS.entries()) {
    const [server, ...others] = named('infer m').filter(({ traceId }) => traceId === traceOf(index));
    assert.ok(server !== undefined && others.length === 0, `${protocol}: one span for the request`);
    assert.equal(server.parentId, CALLER, `${protocol}: its parent is the caller's span`);
    assert.equal(server.kind, 'SPAN_KIND_SERVER');
    assert.equal(server.resource['service.name'], 'penstock');
    const children = spans.filter(({ traceId, parentId }) => traceId === server.traceId && parentId === server.spanId);
    assert.deepEqual(children.map(({ name }) => name).sort(), STAGES, `${protocol}: its stages`);
    for (const { name, startNs, endNs } of children)
      assert.ok(
        BigInt(startNs) >= BigInt(server.startNs) && BigInt(endNs) <= BigInt(server.endNs),
        `${protocol}: ${name} lies inside`,
      );
    const [link] = children.find(({ name }) => name === 'compute').links;
    const batch = named('batch m').find(({ traceId, spanId }) => traceId === link[0] && spanId === link[1]);
    assert.ok(batch !== undefined, `${protocol}: its batch is there`);
    assert.ok(
      batch.links.some(([traceId, spanId]) => traceId === server.traceId && spanId === server.spanId),
      `${protocol}: and names it`,
    );
  }
}

const models = mkdtempSync(join(tmpdir(), 'penstock-traces-'));
mkdirSync(join(models, 'm/1'), { recursive: true });
copyFileSync(here('../fixtures/models/identity_fp32.onnx'), join(models, 'm/1/model.onnx'));
const python = join(pythonVenv('otlp', PACKAGES), 'bin/python');
let seen = 0;
try {
  for (const threads of [0, 2])
    for (const [over, protocol] of [
      ['http', 'http/protobuf'],
      ['grpc', 'grpc'],
    ]) {
      const receiver = await startReceiver(python);
      const endpoint = `--tracing-endpoint=http://127.0.0.1:${receiver.ports[over]}`;
      const gateway = await startGateway(models, [
        endpoint,
        `--tracing-protocol=${protocol}`,
        '--tracing-percent=0',
        `--ingress-threads=${threads}`,
      ]);
      await sendAll(gateway);
      // What is gathered is exported before it ends.
      await gateway.stop();
      const { spans, until } = receiver;
      const linked = () =>
        new Set(
          spans.filter(({ name }) => name === 'batch m').flatMap(({ links }) => links.map(([traceId]) => traceId)),
        );
      await until(() => linked().size === PROTOCOLS.length, 'the batches of all three');
      judge(spans);
      seen += spans.length;
      receiver.end();
    }
} finally {
  rmSync(models, { recursive: true });
}
const line = `${seen} spans of ${PROTOCOLS.join(', ')} over OTLP/HTTP and OTLP/gRPC, 0 and 2 ingress threads: parents, stages and links with batches right`;
if (process.env.FIGURE === undefined) console.log(line);
else appendFileSync(process.env.FIGURE, `${line}\n`);
