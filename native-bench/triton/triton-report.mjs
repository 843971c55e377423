/** What a run of `triton.mjs` found, as Markdown. */
import { median } from '../../dist/cli/bench/statistics.js';

/** Share of its native ONNX Runtime backend's HTTP rate that Triton's Python backend was seen to reach, measured elsewhere. */
const PYTHON_BACKEND_SHARE = [0.4, 0.45];

/** Requests/s of the native backend, measured elsewhere on another day on 2 cores: a hint, not part of any ratio. */
const NATIVE_ELSEWHERE = {
  'mlp-http-c1': 8260,
  'mlp-http-c8': 20040,
  'mlp-http-c32': 26020,
  'mlp-grpc-1x1': 3310,
  'mlp-grpc-1x8': 11230,
  'mlp-grpc-1x32': 14620,
  'cnn-http-c1': 191,
  'cnn-http-c8': 252,
  'cnn-http-c32': 224,
};

/** Goals against the native backend: requests/s, and p50 at one caller. */
const GOALS = {
  'mlp-http-c1': { p50: 1 },
  'mlp-http-c8': { rate: 2 },
  'mlp-http-c32': { rate: 2.5 },
  'mlp-grpc-1x1': { rate: 1 },
  'mlp-grpc-1x8': { rate: 1.2 },
  'mlp-grpc-1x32': { rate: 1 },
  'mlp-grpc-8x1': { rate: 1.2 },
  'mlp-grpc-32x1': { rate: 1 },
};

/** `result`: what `triton.mjs --json` writes. */
export function tritonReport(result) {
  const { machine, versions, commit, date, clients, rounds, ms, loads, startUp } = result;
  return [
    '# Penstock and Triton by turns',
    '',
    `- ${date}, commit ${commit ?? 'unknown'}; ${machine.cores} x ${machine.cpu}; load of the machine before ${machine.loadBefore.toFixed(2)}, after ${result.loadAfter.toFixed(2)}`,
    `- ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
    `- ${rounds} rounds of ${ms} ms each; client over HTTP: ${clients.http}; over gRPC: ${clients.grpc}`,
    '- **Triton serves these models by its Python backend**: the wheel has no ONNX Runtime backend. Measured elsewhere, that',
    `  reached ${percent(PYTHON_BACKEND_SHARE[0])} to ${percent(PYTHON_BACKEND_SHARE[1])} of the native backend's HTTP rate on the small MLP. "Raw" is the ratio to what ran here;`,
    `  "against native, estimated" is the raw one times ${PYTHON_BACKEND_SHARE.join(' to ')}. For gRPC that share was never measured: there the`,
    '  estimate is a guess. The CNN computes most of the time, so its raw ratio is near the native one.',
    '',
    '| load | Penstock, requests/s | Triton, requests/s | raw ratio (range) | against native, estimated | goal | native elsewhere, requests/s | p50 us, Penstock / Triton | max ms | CPU us a request |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...loads.map(loadRow),
    '',
    '"Native elsewhere" are figures of Triton 2.51 with its ONNX Runtime backend on another 2-core machine, with another client.',
    '`mlp-grpc-1x8` is one connection with eight calls in flight, `mlp-grpc-8x1` eight connections with one. CPU time counts the',
    "server's process and all that it started; the client's is not in it.",
    '',
    '| start with the MLP alone | Penstock | Triton |',
    '|---|---|---|',
    `| ready after, ms | ${startUp.penstock.readyAfterMs.toFixed(0)} | ${startUp.triton.readyAfterMs.toFixed(0)} |`,
    `| memory of all its processes (PSS), MB | ${megabytes(startUp.penstock)} | ${megabytes(startUp.triton)} |`,
    '',
  ].join('\n');
}

function loadRow({ name, model, protocol, penstock, triton }) {
  const pick = (side, key) => median(side.map((round) => round[key]));
  const ratios = penstock.map((round, i) => round.perSecond / triton[i].perSecond).sort((a, b) => a - b);
  const raw = median(ratios);
  const estimate = PYTHON_BACKEND_SHARE.map((share) => (raw * share).toFixed(2)).join(' to ');
  const most = (side) => (Math.max(...side.map(({ maxUs }) => maxUs)) / 1000).toFixed(1);
  const cells = [
    name,
    pick(penstock, 'perSecond').toFixed(0),
    pick(triton, 'perSecond').toFixed(0),
    `${raw.toFixed(2)} (${ratios[0].toFixed(2)} .. ${ratios.at(-1).toFixed(2)})`,
    model === 'cnn' ? '-' : `${estimate}${protocol === 'grpc' ? ' (a guess)' : ''}`,
    goalText(GOALS[name]),
    NATIVE_ELSEWHERE[name] ?? '-',
    `${pick(penstock, 'p50Us').toFixed(0)} / ${pick(triton, 'p50Us').toFixed(0)}`,
    `${most(penstock)} / ${most(triton)}`,
    `${pick(penstock, 'cpuUsPerRequest').toFixed(0)} / ${pick(triton, 'cpuUsPerRequest').toFixed(0)}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function goalText(goal) {
  if (goal === undefined) return '-';
  return goal.rate === undefined ? 'p50 not above native' : `${goal.rate} x native`;
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}

function megabytes({ memoryBytes }) {
  return (memoryBytes / 1e6).toFixed(0);
}
