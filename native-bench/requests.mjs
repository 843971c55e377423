/** Load jobs for the bench models, in the forms of `penstock bench`. */
import { randomSource } from '../dist/cli/bench/random-source.js';
import { modelPath, requestBytes } from '../dist/cli/bench/request-bytes.js';
import { parseShape, sampleInputs } from '../dist/cli/bench/sample-inputs.js';
import { MODELS } from './scenarios.mjs';

/** Whom a job goes to: `ports` of a gateway, and the path of a WebSocket. */
export function targetOf(protocol, ports, model) {
  return { protocol, host: '127.0.0.1', port: ports[protocol], path: modelPath({ name: model }, 'stream') };
}

/** Inputs of as many requests as are prepared for a bench model, always the same; `rows` is a batch size. */
function sampled(model, rows) {
  const { inputs, variants } = MODELS[model];
  const specs = inputs.map(([name, datatype, sizes]) => ({ name, datatype, shape: sizes.split(',').map(() => -1) }));
  const shapes = new Map(
    inputs.map(([name, , sizes]) => [name, parseShape(`${name}=${sizes.replace(/^1/, String(rows))}`).axes]),
  );
  const random = randomSource(1);
  return Array.from({ length: variants }, () => sampleInputs(specs, shapes, 'random', random));
}

/** Prepared requests of a bench model; `served` is its name in the gateway, `rows` a batch size. */
export function requestsFor(model, target, { format = 'binary', served = model, rows = 1 } = {}) {
  return sampled(model, rows).map((inputs) =>
    requestBytes(target, { name: served, version: undefined }, inputs, format),
  );
}

/** The same requests as the floors replay them; `floor/src/requests.rs` says in what form. */
export function recordedRequests(model) {
  const words = (...values) => Buffer.from(BigInt64Array.from(values, BigInt).buffer);
  const requests = sampled(model, 1);
  const values = requests.flat().flatMap(({ shape, data }) => {
    const { byteLength } = data;
    return [words(shape.length, ...shape, byteLength), data, Buffer.alloc(-byteLength & 7)];
  });
  return Buffer.concat([words(requests.length), ...values]);
}

/** A whole HTTP request in its parts, for clients that put it together themselves (with its length). */
export function httpParts(request) {
  const end = request.indexOf('\r\n\r\n');
  const [first, ...lines] = request.toString('latin1', 0, end).split('\r\n');
  const headers = Object.fromEntries(lines.map((text) => text.split(/: (.*)/).slice(0, 2)));
  delete headers['Content-Length'];
  return { path: first.split(' ')[1], headers, body: request.subarray(end + 4) };
}
