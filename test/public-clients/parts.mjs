// The parts: what each tries, with which Python, and what it needs beside that.

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string} client What is tried, as the table says it.
 * @property {string} script
 * @property {number} minutes
 * @property {boolean} [tensorflow] With the messages of TensorFlow, in an environment of their own.
 * @property {'perf_analyzer' | 'examples'} [needs]
 */

/** @type {readonly Part[]} */
export const PARTS = [
  { name: 'tritonclient', client: 'tritonclient: every method', script: 'triton_surface.py', minutes: 6 },
  {
    name: 'examples',
    client: "NVIDIA's example clients",
    script: 'triton_examples.py',
    minutes: 12,
    needs: 'examples',
  },
  { name: 'perf-analyzer', client: 'perf_analyzer', script: 'perf_analyzer.py', minutes: 12, needs: 'perf_analyzer' },
  { name: 'kserve', client: "KServe's Python client", script: 'kserve_client.py', minutes: 3 },
  {
    name: 'tensorflow',
    client: 'tensorflow-serving-api',
    script: 'tensorflow_client.py',
    minutes: 3,
    tensorflow: true,
  },
  { name: 'openai', client: 'openai: embeddings', script: 'openai_client.py', minutes: 3 },
  { name: 'reflection', client: 'gRPC reflection', script: 'reflection.py', minutes: 3 },
  { name: 'openapi', client: 'schemathesis on OpenAPI', script: 'schemathesis_check.py', minutes: 12 },
  { name: 'onnx', client: "ONNX's backend cases", script: 'onnx_conformance.py', minutes: 15 },
];
