// V2 JSON against JSON.parse and JSON.stringify: one tensor of 150,528 elements (an image of 3x224x224), read from the
// bytes of a whole body and written as a whole reply. JSON.parse is given the text (its cost of making text of the bytes
// is not counted) and its numbers are copied into the same typed array. Both sides take turns; medians of the rounds.
// Run on the compiled sources: npm run build && node native-bench/micro/json.mjs [rounds] [--only TEXT] [--dist FOLDER]
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', default: '' }, dist: { type: 'string', default: 'dist' } },
});
const CODEC = resolve(options.dist, 'serving/codec/v2-rest');
const { decodeInferBody } = await import(`${CODEC}/infer-request.js`);
const { encodeInferReply } = await import(`${CODEC}/infer-reply.js`);
const { JSON_REPLY } = await import(`${CODEC}/reply-format.js`);

const ROUNDS = Number(positionals[0] ?? 15);
const COUNT = 150_528;
const WARM_UP_ROUNDS = 5;
const CONTEXT = { model: 'm', version: undefined, deadlineNs: 0, receivedNs: 0, nowNs: () => 0 };

const random = seeded(11);
/** Like normalised pixels: within 2 of 0. */
const near = () => (random() - 0.5) * 4;
const whole = (bound) => Math.floor(random() * bound);

/** By data type: the array that holds it, and how JSON.parse's numbers get there. */
const ARRAYS = {
  FP32: Float32Array,
  FP64: Float64Array,
  UINT8: Uint8Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
};

const FLOAT_TEXTS = {
  '1 digit': () => near().toPrecision(1),
  '5 digits': () => near().toPrecision(5),
  '7 digits': () => near().toPrecision(7),
  '9 digits': () => near().toPrecision(9),
  '17 digits': () => near().toPrecision(17),
  'integers to 255': () => `${whole(256)}`,
  'short (0.25, -1.5)': () => `${(whole(200) - 100) / 20}`,
  'exponents (1.234567e-12)': () => (near() * 10 ** (whole(30) - 15)).toExponential(6),
  "Python's float32 (16-17 digits)": () => `${Math.fround(near())}`,
};
const INTEGER_TEXTS = {
  'to 100': () => `${whole(101)}`,
  'of 9 digits': () => `${whole(2e9) - 1e9}`,
};
const READ = [
  ...Object.entries(FLOAT_TEXTS).map(([name, text]) => ({ dataType: 'FP32', name, text })),
  { dataType: 'FP32', name: "7 digits, Python's comma and space", text: FLOAT_TEXTS['7 digits'], comma: ', ' },
  { dataType: 'FP32', name: 'subnormals (1.234567e-40)', text: () => (near() * 1e-40).toExponential(6) },
  ...Object.entries(FLOAT_TEXTS).map(([name, text]) => ({ dataType: 'FP64', name, text })),
  { dataType: 'FP64', name: 'subnormals (17 digits e-310)', text: () => (near() * 1e-310).toExponential(16) },
  { dataType: 'UINT8', name: 'to 255', text: () => `${whole(256)}` },
  ...Object.entries(INTEGER_TEXTS).map(([name, text]) => ({ dataType: 'INT32', name, text })),
  ...Object.entries(INTEGER_TEXTS).map(([name, text]) => ({ dataType: 'INT64', name, text })),
  { dataType: 'INT64', name: 'of 15 digits', text: () => `${whole(2e15) - 1e15}` },
];
const WRITE = [
  { dataType: 'FP32', name: 'near 0', value: near },
  { dataType: 'FP32', name: 'any exponent', value: () => near() * 10 ** (whole(60) - 30) },
  { dataType: 'FP32', name: 'short (0.25, -1.5)', value: () => (whole(200) - 100) / 20 },
  { dataType: 'FP64', name: 'near 0', value: near },
  { dataType: 'FP64', name: 'short (0.25, -1.5)', value: () => (whole(200) - 100) / 20 },
  { dataType: 'INT32', name: 'of 9 digits', value: () => whole(2e9) - 1e9 },
  { dataType: 'INT64', name: 'of 15 digits', value: () => BigInt(whole(2e15) - 1e15) },
];

const chosen = (what) => (each) => `${what} ${each.dataType}, ${each.name}`.includes(options.only);
const cases = [...READ.filter(chosen('read')).map(reading), ...WRITE.filter(chosen('write')).map(writing)];
for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
  for (const one of cases) {
    for (const side of round % 2 === 0 ? ['reference', 'ours'] : ['ours', 'reference']) {
      const startedMs = performance.now();
      one[side]();
      if (round >= 0) one.tookMs[side].push(performance.now() - startedMs);
    }
  }
}
console.log(`Node ${process.version}, ${COUNT} elements, median (quartiles) of ${ROUNDS} rounds, ms`);
console.log(
  '| case | JSON.parse and copy, JSON.stringify | ours | ratio (quartiles of the rounds) | of the fastest rounds | ns a byte |',
);
console.log('|---|---|---|---|---|---|');
for (const { label, tookMs, bytes } of cases) {
  const ratios = tookMs.ours.map((ms, round) => ms / tookMs.reference[round]);
  const [ours, reference, ratio] = [tookMs.ours, tookMs.reference, ratios].map(quartiles);
  const fastest = Math.min(...tookMs.ours) / Math.min(...tookMs.reference);
  const perByte = ((ours[1] * 1e6) / bytes).toFixed(2);
  console.log(
    `| ${label} | ${reference[1].toFixed(2)} (${reference[0].toFixed(2)}-${reference[2].toFixed(2)}) ` +
      `| ${ours[1].toFixed(2)} (${ours[0].toFixed(2)}-${ours[2].toFixed(2)}) ` +
      `| **${(ours[1] / reference[1]).toFixed(2)}** (${ratio[0].toFixed(2)}-${ratio[2].toFixed(2)}) | ${fastest.toFixed(2)} | ${perByte} |`,
  );
}

/** A case that reads; throws where the two sides differ in a bit. */
function reading({ dataType, name, text, comma = ',' }) {
  const data = Array.from({ length: COUNT }, text).join(comma);
  const body = `{"inputs":[{"name":"x","shape":[1,${COUNT}],"datatype":"${dataType}","data":[${data}]}]}`;
  const bytes = Buffer.from(body);
  const array = ARRAYS[dataType];
  const ours = () => decodeInferBody(bytes, { ...CONTEXT, headerLength: undefined, allowNan: false }).request.inputs[0];
  const reference = () => {
    const numbers = JSON.parse(body).inputs[0].data;
    return array === BigInt64Array ? array.from(numbers, BigInt) : new array(numbers);
  };
  const expected = new Uint8Array(reference().buffer);
  if (Buffer.compare(ours().data, expected) !== 0) throw new Error(`read ${dataType} ${name}: other bits`);
  return {
    label: `read ${dataType}, ${name}`,
    bytes: bytes.length,
    ours,
    reference,
    tookMs: { ours: [], reference: [] },
  };
}

/** A case that writes; throws where what is written reads back to other bits. */
function writing({ dataType, name, value }) {
  const values = ARRAYS[dataType].from({ length: COUNT }, value);
  const numbers = dataType === 'INT64' ? Array.from(values, Number) : Array.from(values);
  const output = { name: 'y', dataType, shape: [1, COUNT], data: new Uint8Array(values.buffer) };
  const response = { version: { model: 'm', version: 1 }, id: '', parameters: {}, outputs: [output] };
  const ours = () => encodeInferReply(response, JSON_REPLY, { allowNan: false }).body;
  const reference = () => Buffer.from(JSON.stringify({ model_name: 'm', outputs: [{ ...output, data: numbers }] }));
  const written = JSON.parse(ours().toString()).outputs[0].data;
  const back = dataType === 'INT64' ? BigInt64Array.from(written, BigInt) : new ARRAYS[dataType](written);
  if (Buffer.compare(new Uint8Array(back.buffer), output.data) !== 0)
    throw new Error(`write ${dataType} ${name}: other bits`);
  const bytes = ours().length;
  return { label: `write ${dataType}, ${name}`, bytes, ours, reference, tookMs: { ours: [], reference: [] } };
}

function quartiles(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  return [0.25, 0.5, 0.75].map((part) => sorted[Math.floor(part * (sorted.length - 1) + 0.5)]);
}

function seeded(seed) {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  return () => (next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53;
}
