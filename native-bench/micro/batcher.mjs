// Cost of the batcher alone: nanoseconds per request from enqueue to settle, with an executor that computes nothing.
// Run on the compiled sources: npm run build && node native-bench/micro/batcher.mjs
import { linearCurve } from '../../dist/core/index.js';
import { Batcher, decide, LearnedCost } from '../../dist/serving/batcher/index.js';
import { fluidBoundPerSecond, SimulatedExecutor, VirtualClock } from '../../dist/simulation/index.js';

const ROUNDS = 5;
const REQUESTS = 200_000;
const clock = { nowNs: () => performance.now() * 1e6, wallMs: () => Date.now(), setTimer: startTimer };
const metrics = { succeeded() {}, failed() {}, executed() {}, setQueueDepth() {} };
const input = { name: 'x', dataType: 'FP32', shape: [1, 16], data: new Uint8Array(64) };

function startTimer(atNs, fire) {
  const timer = setTimeout(fire, Math.max((atNs - clock.nowNs()) / 1e6, 0));
  timer.unref();
  return { clear: () => clearTimeout(timer) };
}

/** `slots` executions at once; each ends when the bench says so, in the order they began. */
function createExecutor(slots) {
  const running = [];
  const output = new Uint8Array(64 * 64);
  const executor = {
    onSlotFree: () => {},
    freeSlots: () => slots - running.length,
    slots: () => slots,
    execute(batch, settle) {
      running.push({ batch, settle });
      return { cancel() {} };
    },
    endOne() {
      const { batch, settle } = running.shift();
      const now = clock.nowNs();
      executor.onSlotFree();
      const data = output.subarray(0, batch.rows * 64);
      const outputs = [{ name: 'y', dataType: 'FP32', shape: [batch.rows, 16], data }];
      // Some time, so that it is learned from.
      const timing = {
        takenNs: now - 1e6 - batch.rows * (batch.padded?.length ?? 1) * 1e4,
        gatheredNs: now,
        startedNs: now,
        finishedNs: now,
      };
      settle({ kind: 'done', outputs, timing });
    },
    busy: () => running.length > 0,
  };
  return executor;
}

const NO_LIMITS = { timeoutAction: 'REJECT', defaultTimeoutUs: 0, allowTimeoutOverride: false, maxQueueSize: 0 };
const POLICY = {
  dynamic: true,
  maxBatchSize: 0,
  preferredBatchSizes: [],
  maxQueueDelayUs: 0,
  preserveOrdering: false,
  sloMs: 0,
  priorityLevels: 0,
  defaultPriorityLevel: 0,
  defaultQueuePolicy: NO_LIMITS,
  priorityQueuePolicies: new Map(),
};

/** `lengths`: requests are of so many lengths and may be padded. `mixed`: their deadlines come in any order. */
function bench(
  name,
  { maxBatchSize, inFlight, deadline, learns = false, mixed = false, keys = 1, lengths = 0, tenants = 0, ...changes },
) {
  const batching = { ...POLICY, dynamic: maxBatchSize > 0, maxBatchSize, ...changes };
  const executor = createExecutor(1);
  const inputs = lengths === 0 ? [] : [{ name: 'x', lengthAxes: { axes: [1], padValue: 0 } }];
  const spec = { id: { model: 'm', version: 1 }, maxBatchSize, batching, inputs, outputs: [{ name: 'y' }] };
  const batcher = new Batcher({
    spec,
    executor,
    clock,
    metrics,
    maxQueueSize: 100_000,
    ...(learns ? { costs: new LearnedCost() } : {}),
    // Costs that nobody knows: lines stand in the order of deadlines, and nothing is planned or refused.
    ...(mixed ? { costs: { curve: () => undefined, observe() {} } } : {}),
  });
  const whose = Array.from({ length: tenants }, (_, i) => ({ name: `t${i}`, weight: 1 + (i % 3), index: i + 2 }));
  let settled = 0;
  const settle = () => settled++;
  const member = { inputs: [input], rows: 1 };
  const names = Array.from({ length: keys }, (_, i) => (keys === 1 ? '' : `x${i}`));
  const samples = [];
  for (let round = 0; round < ROUNDS; round++) {
    settled = 0;
    const startNs = process.hrtime.bigint();
    for (let sent = 0; settled < REQUESTS; ) {
      while (sent < REQUESTS && sent - settled < inFlight) {
        const enqueuedNs = clock.nowNs();
        const aheadNs = mixed ? 5e8 + 5e8 * Math.random() : 1e9;
        const deadlineNs = deadline ? enqueuedNs + aheadNs : Number.POSITIVE_INFINITY;
        const key = names[sent % keys];
        const length = lengths === 0 ? 0 : 1 + ((sent * 7919) % lengths);
        const tenant = tenants > 0 ? whose[sent % tenants] : undefined;
        batcher.enqueue({ member, key, length, priority: 0, timeoutUs: 0, deadlineNs, enqueuedNs, tenant, settle });
        sent++;
      }
      if (executor.busy()) executor.endOne();
    }
    samples.push(Number(process.hrtime.bigint() - startNs) / REQUESTS);
  }
  samples.sort((a, b) => a - b);
  const median = samples[ROUNDS >> 1];
  console.log(`${name.padEnd(44)} ${median.toFixed(0).padStart(6)} ns a request (best ${samples[0].toFixed(0)})`);
}

console.log(`node ${process.version}, ${REQUESTS} requests a round, median of ${ROUNDS}`);
bench('one at a time, no batching', { maxBatchSize: 0, inFlight: 1 });
bench('the same, with costs learned', { maxBatchSize: 0, inFlight: 1, learns: true });
bench('batch of 8, 16 in flight', { maxBatchSize: 8, inFlight: 16 });
bench('the same, with costs learned', { maxBatchSize: 8, inFlight: 16, learns: true });
bench('batch of 32, 256 in flight', { maxBatchSize: 32, inFlight: 256 });
bench('the same, with costs learned', { maxBatchSize: 32, inFlight: 256, learns: true });
bench('the same, and deadlines a second away', { maxBatchSize: 32, inFlight: 256, learns: true, deadline: true });
bench('batch of 32, 256 in flight, deadlines', { maxBatchSize: 32, inFlight: 256, deadline: true });
bench('batch of 32, 256 in flight, replies in order', { maxBatchSize: 32, inFlight: 256, preserveOrdering: true });
bench('batch of 32, 10,000 waiting, 200 shapes', { maxBatchSize: 32, inFlight: 10_000, keys: 200 });
bench('batch of 32, 256 in flight, 16 lengths', { maxBatchSize: 32, inFlight: 256, lengths: 16 });
bench('batch of 32, 10,000 waiting, 100 lengths', { maxBatchSize: 32, inFlight: 10_000, lengths: 100 });
bench('batch of 32, 10,000 waiting, 4,000 lengths', { maxBatchSize: 32, inFlight: 10_000, lengths: 4000 });
bench('batch of 32, 10,000 waiting, deadlines', { maxBatchSize: 32, inFlight: 10_000, deadline: true });
bench('the same, in any order', { maxBatchSize: 32, inFlight: 10_000, deadline: true, mixed: true });
bench('batch of 32, 256 in flight, 4 tenants', { maxBatchSize: 32, inFlight: 256, tenants: 4 });
bench('batch of 32, 10,000 waiting, 64 tenants', { maxBatchSize: 32, inFlight: 10_000, tenants: 64 });

/**
 * What a request costs where deadlines decide: a load on a virtual clock, each call into the batcher timed by itself (its
 * enqueue with the decisions that follow; the ends of executions and timers are shared out over the requests).
 */
function benchDeadlines(name, { curve, instances, sloMs, share, most = 1024 }) {
  const load = { curve: linearCurve(...curve), instances, sloMs, maxBatchSize: most, jitter: 0 };
  const virtual = new VirtualClock();
  const executor = new SimulatedExecutor(virtual, load.curve, instances, 0, Math.random);
  const policy = { ...POLICY, maxBatchSize: most, sloMs };
  const spec = { id: { model: 'm', version: 1 }, maxBatchSize: most, batching: policy, inputs: [], outputs: [] };
  const costs = { curve: () => load.curve, observe() {} };
  const batcher = new Batcher({ spec, executor, clock: virtual, metrics, maxQueueSize: 100_000, costs });
  const gapNs = 1e9 / (fluidBoundPerSecond(load) * share);
  const member = { inputs: [], rows: 1 };
  const settle = () => {};
  const calls = new Float64Array(REQUESTS);
  let otherNs = 0;
  let atNs = 0;
  let waiting = 0;
  for (let i = 0; i < REQUESTS; i++) {
    atNs -= gapNs * Math.log(1 - Math.random());
    const before = process.hrtime.bigint();
    virtual.advanceTo(atNs);
    const between = process.hrtime.bigint();
    try {
      batcher.enqueue({ member, key: '', priority: 0, timeoutUs: 0, deadlineNs: Infinity, enqueuedNs: atNs, settle });
    } catch {}
    const after = process.hrtime.bigint();
    calls[i] = Number(after - between);
    waiting = Math.max(waiting, batcher.depth);
    otherNs += Number(between - before);
  }
  calls.sort();
  const at = (p) => (calls[Math.floor(p * REQUESTS)] / 1000).toFixed(2).padStart(6);
  const other = (otherNs / REQUESTS / 1000).toFixed(2);
  console.log(
    `${name.padEnd(44)} p50${at(0.5)} us, p99${at(0.99)} us a request, and ${other} us for its execution's share; up to ${waiting} wait`,
  );
}

benchDeadlines('deadlines, 4 instances, D 2 L(1), 80 %', { curve: [4, 0.3], instances: 4, sloMs: 8.6, share: 0.8 });
benchDeadlines('deadlines, 4 instances, D 4 L(1), 90 %', { curve: [2, 0.05], instances: 4, sloMs: 8.2, share: 0.9 });
benchDeadlines('deadlines, 4 instances, D 10 L(1), 90 %', { curve: [2, 0.05], instances: 4, sloMs: 20.5, share: 0.9 });
benchDeadlines('deadlines, 4 instances, D 4 L(1), 10 times', { curve: [2, 0.05], instances: 4, sloMs: 8.2, share: 10 });
benchDeadlines('deadlines, 4 instances, thousands wait', {
  curve: [20, 0.002],
  instances: 4,
  sloMs: 100,
  share: 0.9,
  most: 8192,
});

/** The decision alone: how often a second it can be asked, over the states of a run (it is pure, so it is asked again and again). */
function benchDecision(name, { curve, instances, sloMs, share }) {
  const load = { curve: linearCurve(...curve), instances, sloMs, maxBatchSize: 1024, jitter: 0 };
  const virtual = new VirtualClock();
  const executor = new SimulatedExecutor(virtual, load.curve, instances, 0, Math.random);
  const spec = {
    id: { model: 'm', version: 1 },
    maxBatchSize: 1024,
    batching: { ...POLICY, maxBatchSize: 1024, sloMs },
    inputs: [],
    outputs: [],
  };
  const costs = { curve: () => load.curve, observe() {} };
  const AGAIN = 2000;
  let asked = 0;
  let cpuUs = 0;
  const counted = (view, nowNs) => {
    const before = process.cpuUsage();
    let decision;
    for (let i = 0; i < AGAIN; i++) decision = decide(view, nowNs);
    const { user, system } = process.cpuUsage(before);
    asked += AGAIN;
    cpuUs += user + system;
    return decision;
  };
  const batcher = new Batcher({
    spec,
    executor,
    clock: virtual,
    metrics,
    maxQueueSize: 100_000,
    costs,
    decide: counted,
  });
  const gapNs = 1e9 / (fluidBoundPerSecond(load) * share);
  const member = { inputs: [], rows: 1 };
  for (let i = 0, atNs = 0; i < 1000; i++) {
    atNs -= gapNs * Math.log(1 - Math.random());
    virtual.advanceTo(atNs);
    batcher.enqueue({
      member,
      key: '',
      priority: 0,
      timeoutUs: 0,
      deadlineNs: Infinity,
      enqueuedNs: atNs,
      settle() {},
    });
  }
  const perSecond = (asked / cpuUs) * 1e6;
  console.log(`${name.padEnd(44)} ${(perSecond / 1e6).toFixed(2)} million decisions a second of a core`);
}

benchDecision('decision, 4 instances, D 2 L(1), 80 %', { curve: [4, 0.3], instances: 4, sloMs: 8.6, share: 0.8 });
benchDecision('decision, 4 instances, D 4 L(1), 90 %', { curve: [2, 0.05], instances: 4, sloMs: 8.2, share: 0.9 });
benchDecision('decision, 4 instances, D 10 L(1), 90 %', { curve: [2, 0.05], instances: 4, sloMs: 20.5, share: 0.9 });
