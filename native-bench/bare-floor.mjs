/**
 * Bare onnxruntime (the binding of onnxruntime-node) in one thread, in a process of its own. Reads one JSON line per
 * measurement from stdin, `{ model, length, batch, ms }` (`length`: size of open axes but the first), and answers one line,
 * `{ itemsPerSecond, p50Us, cpuUsPerItem }`.
 */
import { createInterface } from 'node:readline';
import * as ort from 'onnxruntime-node';

const sessions = new Map();

async function session(path) {
  if (!sessions.has(path)) {
    const options = { intraOpNumThreads: 1, interOpNumThreads: 1, graphOptimizationLevel: 'all', logSeverityLevel: 3 };
    sessions.set(path, await ort.InferenceSession.create(path, options));
  }
  return sessions.get(path);
}

/** One value for each input: the elements of the native floor. */
function sampleFeeds({ inputMetadata }, batch, length) {
  const feeds = {};
  for (const { name, type, shape } of inputMetadata) {
    const dims = shape.map((size, axis) =>
      typeof size === 'number' && size >= 0 ? size : axis === 0 ? batch : length,
    );
    const count = dims.reduce((a, b) => a * b, 1);
    const data =
      type === 'int64'
        ? BigInt64Array.from({ length: count }, (_, i) => BigInt(i % 10))
        : Float32Array.from({ length: count }, (_, i) => (i % 17) / 16);
    feeds[name] = new ort.Tensor(type, data, dims);
  }
  return feeds;
}

async function measure({ model, length, batch, ms }) {
  const s = await session(model);
  const feeds = sampleFeeds(s, batch, length);
  for (let i = 0; i < 3; i++) await s.run(feeds);
  const times = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  let last = start;
  while (last - start < ms) {
    await s.run(feeds);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const items = times.length * batch;
  return {
    itemsPerSecond: (items * 1000) / (last - start),
    p50Us: times[times.length >> 1] * 1000,
    cpuUsPerItem: (user + system) / items,
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await measure(JSON.parse(line)))}\n`);
}
