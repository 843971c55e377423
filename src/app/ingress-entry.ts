import { workerData } from 'node:worker_threads';
import { BudgetBoard } from '../core/index.js';
import { RequestFigures, refusedInto } from '../insight/index.js';
import { monotonicOriginNs } from '../machine/index.js';
import { Dataplane } from '../serving/dataplane/index.js';
import { createOffload } from '../serving/executor/index.js';
import { ThreadSide, type ThreadStart } from '../serving/ingress/index.js';
import { accessLinesOf } from './access-log.js';
import { createArena } from './arena.js';
import { budgetGate } from './budget-gate.js';
import { callersOf } from './callers-of.js';
import { tapsBefore } from './capture-line.js';
import { clientMemoryOf } from './client-memory.js';
import { ejectionLog } from './ejection-log.js';
import type { IngressSettings } from './ingress-settings.js';
import { startServers } from './listeners.js';
import { OFFLOAD_TASKS } from './offload-tasks.js';
import { shadowLimits } from './shadow-limits.js';
import { slowRequestLog } from './slow-requests.js';
import { systemClock } from './system-clock.js';
import { timelineSampler } from './timelines.js';
import { watchOf } from './tracing.js';

/** A thread's memory for requests and answers in flight, at least: all of them have to lie there. Reserved, not taken. */
const LEAST_BYTES = 512 * 1024 * 1024;

const start = workerData as ThreadStart<IngressSettings>;
const {
  config,
  share,
  offloadThreads,
  clockOriginNs: controlOriginNs,
  refused,
  taps,
  traces,
  timelines,
  access,
} = start.settings;
const clock = systemClock(monotonicOriginNs() - controlOriginNs);
const arena = createArena(Math.max(LEAST_BYTES, Math.ceil(config.buffers.maxBytes / share.of)), clock);
const side = new ThreadSide(start, arena, clock);
const onRefused = refusedInto(new Float64Array(refused));
const callers = callersOf(config);
const board = new BudgetBoard(config.cost.budgets.length, start.settings.budgets);
const budgets = budgetGate(config, board, callers, clock);
const { watch, flush } = watchOf(traces, accessLinesOf(access, clock), timelineSampler(timelines), clock);
const { whyAbsent, facts } = side;
const onEjection = ejectionLog(side.log);
const releases = { facts, shadows: shadowLimits(config) };
const slow = slowRequestLog(config, { clock, log: side.log, share });
const dataplane = new Dataplane({
  clock,
  metrics: { refused: onRefused },
  whyAbsent,
  callers,
  budgets,
  releases,
  onEjection,
  ...(slow === undefined ? {} : { slow }),
});
const offload = createOffload({
  threads: offloadThreads,
  maxQueue: Math.ceil(config.offload.maxQueueSize / share.of),
  tasks: OFFLOAD_TASKS,
});

try {
  const path = side.upToDate(dataplane);
  const parts = {
    inference: tapsBefore(path, taps, clock),
    specs: path,
    control: side.control,
    offload,
    memory: arena,
    clock,
    log: side.log,
    onRefused,
    watch,
    clientMemory: clientMemoryOf(start.settings.clientMemory),
  };
  const { http, grpc, platforms } = await startServers(config, parts, share);
  const all = [http, grpc, ...platforms];
  const abort = () => {
    for (const server of all) server?.abort();
  };
  let crashed = false;
  process.on('uncaughtException', (thrown) => {
    if (crashed) return;
    crashed = true;
    side.crashed(thrown);
    // A turn later: the fault may lie inside a callback of the library, which must not be closed below itself; and an open
    // server in an ending thread aborts the process.
    setImmediate(() => {
      abort();
      process.exit(1);
    });
  });
  const servers = {
    refreshHealth: () => grpc?.refreshHealth(),
    closeIntake: () => {
      for (const server of all) server?.closeIntake();
    },
    close: async () => {
      await Promise.all(all.map((server) => server?.close()));
      flush();
      await offload.close();
      arena.close();
    },
  };
  side.run(dataplane, servers, (memory) => new RequestFigures(new Float64Array(memory)));
} catch (thrown) {
  side.cannotStart(thrown);
}
