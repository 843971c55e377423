// What the gRPC transport itself can carry: calls per second and server CPU per call with an inference that answers at once.
// The server runs in a process of its own; the client frames its messages itself, so that it is not what is measured.
// Run on the compiled sources: npm run build && node native-bench/micro/grpc.mjs [seconds]
import { fork } from 'node:child_process';
import http2 from 'node:http2';
import { fileURLToPath } from 'node:url';

const INFER = '/inference.GRPCInferenceService/ModelInfer';
const STREAM = '/inference.GRPCInferenceService/ModelStreamInfer';
const SECONDS = Number(process.argv[2] ?? 3);
const WARM_UP_MS = 1000;

if (process.send === undefined) await measureAll();
else await serve();

/** In the child: the real server over an inference that answers each request with its own inputs. */
async function serve() {
  const { startGrpc } = await import('../../dist/serving/transport/index.js');
  const latency = { decodeNs: 0, queueNs: 0, gatherNs: 0, dispatchNs: 0, computeNs: 0, scatterNs: 0, encodeNs: 0 };
  const inference = {
    infer(request, reply) {
      const version = { model: request.model, version: 1 };
      setImmediate(() =>
        reply.done({ version, id: request.id, outputs: request.inputs, parameters: {}, latency, batchRows: 1 }),
      );
      return { cancel() {} };
    },
  };
  const nowNs = () => performance.now() * 1e6;
  const clock = { nowNs, wallMs: () => Date.now(), setTimer: () => ({ clear() {} }) };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const server = await startGrpc({ inference, control: { ready: () => ({ ready: true }) }, clock, log, port: 0 });
  process.on('message', (message) => {
    if (message === 'cpu') process.send(process.cpuUsage());
    else process.exit(0);
  });
  process.send({ port: server.port });
}

async function measureAll() {
  console.log(`Node ${process.version}, ${SECONDS} s each`);
  for (const bytes of [64, 4096, 602_112]) {
    for (const concurrency of [1, 8, 32]) await report('unary', bytes, concurrency, unary);
    await report('stream', bytes, 32, stream);
  }
}

async function report(kind, bytes, concurrency, load) {
  const child = fork(fileURLToPath(import.meta.url));
  const ask = (message) => {
    const answer = new Promise((resolve) => child.once('message', resolve));
    if (message !== undefined) child.send(message);
    return answer;
  };
  const { port } = await ask();
  // Node's default of 10 MB counts requests that wait to be sent, and would stall the load.
  const session = http2.connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 1000 });
  session.on('error', () => {});
  await new Promise((resolve) => session.once('connect', resolve));
  const counter = load(session, framed(request(bytes)), concurrency);
  await sleep(WARM_UP_MS);
  const cpuBefore = await ask('cpu');
  const [before, startedMs] = [counter.done, performance.now()];
  await sleep(SECONDS * 1000);
  const calls = counter.done - before;
  const seconds = (performance.now() - startedMs) / 1000;
  const cpuAfter = await ask('cpu');
  const cpuUs = cpuAfter.user + cpuAfter.system - cpuBefore.user - cpuBefore.system;
  if (counter.failed > 0) throw new Error(`${counter.failed} calls failed`);
  const rate = Math.round(calls / seconds);
  console.log(
    `${kind} ${bytes} B, ${concurrency} in flight: ${rate} calls/s, ${(cpuUs / calls).toFixed(1)} us of server CPU a call`,
  );
  counter.stop = true;
  session.destroy();
  child.send('stop');
  await new Promise((resolve) => child.once('exit', resolve));
}

/** `concurrency` calls at all times, each on a stream of its own. */
function unary(session, frame, concurrency) {
  const counter = { done: 0, failed: 0, stop: false };
  const one = () => {
    if (counter.stop) return;
    const call = session.request(headers(INFER));
    call.on('data', () => {});
    call.on('trailers', (trailers) => {
      if (trailers['grpc-status'] !== '0') counter.failed++;
    });
    call.on('error', () => {});
    call.on('close', () => {
      counter.done++;
      one();
    });
    call.end(frame);
  };
  for (let i = 0; i < concurrency; i++) one();
  return counter;
}

/** `concurrency` requests at all times on one stream; answers are told apart by their frames. */
function stream(session, frame, concurrency) {
  const counter = { done: 0, failed: 0, stop: false };
  const call = session.request(headers(STREAM));
  let header = Buffer.alloc(0);
  let left = 0;
  call.on('error', () => {});
  call.on('data', (chunk) => {
    for (let rest = chunk; rest.length > 0; ) {
      if (left === 0) {
        const wanted = 5 - header.length;
        header = Buffer.concat([header, rest.subarray(0, wanted)]);
        rest = rest.subarray(wanted);
        if (header.length < 5) break;
        left = header.readUInt32BE(1);
        header = Buffer.alloc(0);
      }
      const taken = Math.min(left, rest.length);
      left -= taken;
      rest = rest.subarray(taken);
      if (left > 0) break;
      counter.done++;
      if (!counter.stop) call.write(frame);
    }
  });
  for (let i = 0; i < concurrency; i++) call.write(frame);
  return counter;
}

function headers(path) {
  return { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
}

/** A ModelInferRequest: model "m", one UINT8 input "x", raw. */
function request(bytes) {
  const shape = field(3, varint(bytes));
  const input = Buffer.concat([field(1, Buffer.from('x')), field(2, Buffer.from('UINT8')), shape]);
  return Buffer.concat([
    field(1, Buffer.from('m')),
    field(3, Buffer.from('1')),
    field(5, input),
    field(7, Buffer.alloc(bytes)),
  ]);
}

function field(number, value) {
  return Buffer.concat([Buffer.of((number << 3) | 2), varint(value.length), value]);
}

function varint(value) {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return Buffer.from([...bytes, value]);
}

function framed(message) {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
