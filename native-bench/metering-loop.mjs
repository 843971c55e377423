/**
 * Requests through the batcher and the executor of the gateway, with the cost ledger or without, over lanes that compute nothing. Prints the
 * least CPU time of a request over some rounds, in nanoseconds: other programs only ever add to it. For `metering.mjs`: node metering-loop.mjs on|off IN_FLIGHT REQUESTS
 */
import { Charges } from '../dist/core/index.js';
import { CostLedger } from '../dist/insight/index.js';
import { Batcher, LearnedCost } from '../dist/serving/batcher/index.js';
import { createExecutor, Devices } from '../dist/serving/executor/index.js';

const [metering, inFlightText, requestsText] = process.argv.slice(2);
const inFlight = Number(inFlightText);
const requests = Number(requestsText);
const ROW_BYTES = 64;
const WARM_UP = 30_000;
const ROUNDS = 5;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
let nowNs = 1e9;
// A clock that costs the same on both sides and little: what is measured is not the clock.
const clock = { nowNs: () => (nowNs += 500), wallMs: () => 0, setTimer: () => ({ clear() {} }) };

/** Begun runs, which end when the loop says so. */
const running = [];
const output = new Uint8Array(64 * ROW_BYTES);
const lane = () => ({
  broken: false,
  run(batch, settle) {
    running.push({ batch, settle, takenNs: clock.nowNs() });
  },
  cancel() {},
  async close() {},
});
function endOne() {
  const { batch, settle, takenNs } = running.shift();
  const data = output.subarray(0, batch.rows * ROW_BYTES);
  const outputs = [{ name: 'y', dataType: 'FP32', shape: [batch.rows, 16], data }];
  settle({
    kind: 'done',
    outputs,
    timing: { takenNs, gatheredNs: takenNs, startedNs: takenNs, finishedNs: clock.nowNs() },
  });
}

const NO_LIMITS = { timeoutAction: 'REJECT', defaultTimeoutUs: 0, allowTimeoutOverride: false, maxQueueSize: 0 };
const maxBatchSize = 32;
const batching = {
  dynamic: true,
  maxBatchSize,
  preferredBatchSizes: [],
  maxQueueDelayUs: 0,
  preserveOrdering: false,
  sloMs: 0,
  priorityLevels: 0,
  defaultPriorityLevel: 0,
  defaultQueuePolicy: NO_LIMITS,
  priorityQueuePolicies: new Map(),
};
const spec = { id: { model: 'm', version: 1 }, maxBatchSize, batching, inputs: [], outputs: [{ name: 'y' }] };
const ledger =
  metering === 'on'
    ? new CostLedger({
        clock,
        currency: 'USD',
        split: process.env.METERING_SPLIT ?? 'rows',
        idle: 'reserved',
        maxTenants: 100,
        maxRoutes: 50,
        priceOf: () => ({ kind: 'market', perHour: 0.4 }),
      })
    : undefined;
const devices = new Devices({ clock, log: silent, meterOf: ledger && ((device) => ledger.meterOf(device)) });
const opened = {
  signature: { inputs: [], outputs: [] },
  providers: {},
  lanesPerInstance: 2,
  createLane: async () => lane(),
};
const plan = { spec, instances: [{ device: 'cpu', deviceId: 0, count: 1 }], maxExecutionMs: 0 };
const meter = ledger?.meter(spec.id);
const executor = await createExecutor({ opened, plan, clock, log: silent, devices, meter });
const metrics = { succeeded() {}, failed() {}, executed() {}, setQueueDepth() {} };
const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize: 1000, costs: new LearnedCost(), meter });
const charge = new Charges().of('default', 'direct');
const tenant = { name: 'acme', weight: 1, index: 3 };

let settled = 0;
class Request {
  member = { inputs: [], rows: 1 };
  key = '';
  length = 0;
  priority = 0;
  timeoutUs = 0;
  deadlineNs = Number.POSITIVE_INFINITY;
  enqueuedNs = clock.nowNs();
  tenant = tenant;
  criticality = 1;
  charge = charge;
  settle() {
    settled++;
  }
}

/** As many requests, a turn of the event loop now and then. */
async function drive(count) {
  settled = 0;
  for (let sent = 0; settled < count; ) {
    while (sent < count && sent - settled < inFlight) {
      batcher.enqueue(new Request());
      sent++;
    }
    if (running.length > 0) endOne();
    await undefined;
  }
}

await drive(WARM_UP);
let leastNs = Number.POSITIVE_INFINITY;
for (let round = 0; round < ROUNDS; round++) {
  const before = process.cpuUsage();
  await drive(requests / ROUNDS);
  const { user, system } = process.cpuUsage(before);
  leastNs = Math.min(leastNs, ((user + system) * 1000 * ROUNDS) / requests);
}
console.log(leastNs);
