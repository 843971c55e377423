import { getHeapStatistics } from 'node:v8';
import { workerData } from 'piscina';
import { toServingError } from '../../../core/index.js';
import type { OpenThreadModel, ThreadModel } from '../../backend/index.js';
import { captureConsole } from './console-capture.js';
import { PartPort } from './part-emitter.js';
import type { LoadTask, RunTask, WorkerReply, WorkerSetup, WorkerTask } from './thread-message.js';
import { WorkerLane } from './worker-lane.js';

const setup = workerData as WorkerSetup;
const lanes = new Map<number, WorkerLane>();
let model: ThreadModel | undefined;
let parts: PartPort | undefined;

captureConsole(setup.console);

/** Between two readings of the heap. */
const HEAP_EVERY_MS = 1000;
let heapReadMs = Number.NEGATIVE_INFINITY;

/** What V8 has taken for this thread: its heap, and what its buffers have outside. */
function tellHeap(): void {
  const nowMs = performance.now();
  if (setup.heap === undefined || nowMs - heapReadMs < HEAP_EVERY_MS) return;
  heapReadMs = nowMs;
  const { total_heap_size: heap, external_memory: outside } = getHeapStatistics();
  setup.heap[0] = heap + outside;
}

/** Everything a model's worker does. Never throws: errors travel as data. */
export async function work(task: WorkerTask): Promise<WorkerReply> {
  try {
    if (task.kind === 'load') return await load(task);
    if (task.kind === 'run') return await run(task);
    await model?.close();
    return { kind: 'closed' };
  } catch (thrown) {
    const error = toServingError(thrown);
    if (error.reason === 'INTERNAL') console.error(error.cause ?? error);
    return { kind: 'failed', reason: error.reason, message: error.message };
  }
}

async function load({ module, request, instance, parts: port }: LoadTask): Promise<WorkerReply> {
  const { openThreadModel } = (await import(module)) as { openThreadModel: OpenThreadModel };
  model = await openThreadModel(request, instance);
  if (port !== undefined) parts = new PartPort(port, setup.maxOutputBytes);
  const { signature, providers, fallback } = model;
  tellHeap();
  return { kind: 'loaded', signature, providers, fallback };
}

async function run(task: RunTask): Promise<WorkerReply> {
  if (model === undefined) throw new Error('a run before the load');
  if (task.layout !== undefined) lanes.set(task.lane, new WorkerLane(task.layout, setup.maxOutputBytes));
  const lane = lanes.get(task.lane);
  if (lane === undefined) throw new Error(`lane ${task.lane} has no layout`);
  const reply = await lane.run(model, task, parts);
  tellHeap();
  return reply;
}
