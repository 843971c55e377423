/**
 * The load generators in a process of their own: one JSON line in, `{ client, protocol, port, model, shape, connections, ms }`,
 * one out. `client` is `own`, or `autocannon` (HTTP only) as a second opinion.
 */
import { createInterface } from 'node:readline';
import autocannon from 'autocannon';
import { grpcLoad } from './grpc-load.mjs';
import { httpLoad } from './http-load.mjs';

function tensorBytes(shape) {
  const count = shape.reduce((a, b) => a * b, 1);
  return Buffer.from(Float32Array.from({ length: count }, (_, i) => (i % 17) / 16).buffer);
}

function httpParts(model, shape) {
  const data = tensorBytes(shape);
  const header = Buffer.from(
    JSON.stringify({
      inputs: [{ name: 'x', shape: [1, ...shape], datatype: 'FP32', parameters: { binary_data_size: data.length } }],
      outputs: [{ name: 'y', parameters: { binary_data: true } }],
    }),
  );
  return { path: `/v2/models/${model}/infer`, headerLength: header.length, body: Buffer.concat([header, data]) };
}

function httpRequest(model, shape) {
  const { path, headerLength, body } = httpParts(model, shape);
  const head = `POST ${path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/octet-stream\r\nInference-Header-Content-Length: ${headerLength}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

async function autocannonLoad({ port, model, shape, connections, ms }) {
  const { path, headerLength, body } = httpParts(model, shape);
  const headers = {
    'content-type': 'application/octet-stream',
    'inference-header-content-length': String(headerLength),
  };
  const url = `http://127.0.0.1:${port}${path}`;
  const result = await autocannon({ url, method: 'POST', headers, body, connections, duration: Math.ceil(ms / 1000) });
  return {
    perSecond: result['2xx'] / result.duration,
    p50Us: result.latency.p50 * 1000,
    p99Us: result.latency.p99 * 1000,
    errors: result.errors + result.non2xx,
    answers: result['2xx'],
  };
}

/** A ModelInferRequest by hand: model_name = 1, inputs = 5 { name 1, datatype 2, shape 3 }, raw_input_contents = 7. */
function grpcRequest(model, shape) {
  const varint = (n) => {
    const out = [];
    for (let v = n; ; v = Math.floor(v / 128)) {
      out.push(v < 128 ? v : (v % 128) + 128);
      if (v < 128) return Buffer.from(out);
    }
  };
  const field = (number, bytes) => Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
  const dims = Buffer.concat([1, ...shape].map(varint));
  const input = Buffer.concat([field(1, Buffer.from('x')), field(2, Buffer.from('FP32')), field(3, dims)]);
  return Buffer.concat([field(1, Buffer.from(model)), field(5, input), field(7, tensorBytes(shape))]);
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  const { client, protocol, port, model, shape, connections, ms } = question;
  const answer =
    client === 'autocannon' && protocol === 'http'
      ? await autocannonLoad(question)
      : protocol === 'http'
        ? await httpLoad({ port, request: httpRequest(model, shape), connections, ms })
        : await grpcLoad({ port, request: grpcRequest(model, shape), connections, ms });
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
