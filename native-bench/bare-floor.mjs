/**
 * The floor: bare onnxruntime (the binding of onnxruntime-node) in one thread, in a process of its own. Reads one JSON
 * line per measurement from stdin, `{ model, shape, batch, ms }`, and answers one line, `{ itemsPerSecond }`.
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

async function measure({ model, shape, batch, ms }) {
  const s = await session(model);
  const dims = [batch, ...shape];
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i % 17) / 16);
  const feeds = { [s.inputNames[0]]: new ort.Tensor('float32', data, dims) };
  for (let i = 0; i < 3; i++) await s.run(feeds);
  const start = performance.now();
  let runs = 0;
  while (performance.now() - start < ms) {
    await s.run(feeds);
    runs++;
  }
  return { itemsPerSecond: (runs * batch * 1000) / (performance.now() - start) };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await measure(JSON.parse(line)))}\n`);
}
