/**
 * Bare onnxruntime (the binding of onnxruntime-node) in one thread, in a process of its own: replays requests as the native floor
 * does (`floor/src/replay.rs`). Reads one JSON line per measurement from stdin, `{ path, requests, callers, batch, ms }`
 * (`path`: the model's file; `requests`: a file as `floor/src/requests.rs` says), and answers one line,
 * `{ itemsPerSecond, p50Us, cpuUsPerItem }`.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import * as ort from 'onnxruntime-node';

/** The element types of the bench models, and their arrays. */
const ARRAYS = { float32: Float32Array, int64: BigInt64Array };
const known = new Map();

async function once(key, make) {
  if (!known.has(key)) known.set(key, await make());
  return known.get(key);
}

function session(path) {
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, graphOptimizationLevel: 'all', logSeverityLevel: 3 };
  return ort.InferenceSession.create(path, options);
}

/** Requests with their inputs in the session's order, `{ shape, data }`. */
function read(file, { inputMetadata }) {
  const bytes = readFileSync(file);
  let at = 0;
  const word = () => {
    at += 8;
    return Number(bytes.readBigInt64LE(at - 8));
  };
  return Array.from({ length: word() }, () =>
    inputMetadata.map(({ type }) => {
      const shape = Array.from({ length: word() }, word);
      const size = word();
      const data = new ARRAYS[type](Uint8Array.from(bytes.subarray(at, at + size)).buffer);
      at += (size + 7) & ~7;
      return { shape, data };
    }),
  );
}

/** The head and those of its shape that wait, up to `most`. */
function take(waiting, most) {
  const alike = (a, b) => a.every(({ shape }, i) => shape.every((size, axis) => size === b[i].shape[axis]));
  const [head] = waiting;
  const taken = waiting.filter(({ request }) => alike(head.request, request)).slice(0, most);
  for (const one of taken) waiting.splice(waiting.indexOf(one), 1);
  return taken;
}

function feedsOf({ inputMetadata }, requests) {
  return Object.fromEntries(
    inputMetadata.map(({ name, type }, input) => {
      const { shape, data } = requests[0][input];
      if (requests.length === 1) return [name, new ort.Tensor(type, data, shape)];
      const gathered = new ARRAYS[type](data.length * requests.length);
      for (const [i, request] of requests.entries()) gathered.set(request[input].data, i * data.length);
      return [name, new ort.Tensor(type, gathered, [requests.length, ...shape.slice(1)])];
    }),
  );
}

async function measure({ path, requests: file, callers, batch, ms }) {
  const model = await once(path, () => session(path));
  const requests = await once(file, () => read(file, model));
  for (let round = 0; round < 2; round++) for (const request of requests) await model.run(feedsOf(model, [request]));
  const waiting = [];
  const times = [];
  let turn = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  let now = start;
  let taken = [];
  // To the end of a round: a part of one has other lengths.
  while (now - start < ms || times.length % requests.length >= taken.length) {
    while (waiting.length < callers) waiting.push({ request: requests[turn++ % requests.length], since: now });
    taken = take(waiting, batch);
    await model.run(
      feedsOf(
        model,
        taken.map(({ request }) => request),
      ),
    );
    now = performance.now();
    for (const { since } of taken) times.push(now - since);
  }
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  return {
    itemsPerSecond: (times.length * 1000) / (now - start),
    p50Us: times[times.length >> 1] * 1000,
    cpuUsPerItem: (user + system) / times.length,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await measure(JSON.parse(line)))}\n`);
}
