import { parentPort, workerData } from 'node:worker_threads';
import { DiagLogLevel, diag } from '@opentelemetry/api';
import { BatchSpans } from './batch-spans.js';
import { openExporter } from './exporters.js';
import { RequestSpans } from './request-spans.js';
import { SpanMaker } from './span-maker.js';
import { SpanQueue } from './span-queue.js';
import { TraceFigures } from './trace-figures.js';
import { type ToTraceThread, TraceIntake, type TraceNews, type TraceThreadStart } from './trace-thread.js';
import { WallClock } from './wall-time.js';

/** The thread that exports traces: makes spans of what other threads remember of their requests, until it is told to close. */
const { exporter: settings, maxWaiting, everyMs, exitMs, zeroMs, figures: memory } = workerData as TraceThreadStart;
const parent = parentPort;
if (parent === null) throw new Error('the thread that exports traces was started without one that started it');

const tell = (message: string, why: unknown) =>
  parent.postMessage({ message, why: why instanceof Error ? why.message : String(why) } satisfies TraceNews);
const quiet = () => {};
const warn = (...words: unknown[]) => tell('OpenTelemetry says', words.map(String).join(' '));
diag.setLogger({ error: warn, warn, info: quiet, debug: quiet, verbose: quiet }, DiagLogLevel.WARN);

const exporter = await openExporter(settings);
const clock = new WallClock({ zeroMs, wallMs: () => Date.now(), steadyMs: () => performance.now() });
const figures = new TraceFigures(memory);
const maker = new SpanMaker(clock, exporter.resource, settings.version);
const batches = new BatchSpans(maker, Math.random, () => performance.now());
const spans = new RequestSpans({ maker, batches, random: Math.random });
const queue = new SpanQueue({
  send: exporter.send,
  maxWaiting,
  exported: (count) => figures.exported(count),
  lost: (cause, count) => figures.lost(cause, count),
  failed: (why) => tell('traces could not be exported', why),
});
const intake = new TraceIntake((record) => queue.add(spans.of(record)));

const timer = setInterval(() => {
  clock.look();
  for (const span of batches.due(false)) queue.add([span]);
  queue.go();
}, everyMs);

parent.on('message', (message: ToTraceThread) => {
  if (message.kind === 'source') intake.join(message.port);
  else void end();
});

/** Never rejects. */
async function end(): Promise<void> {
  clearInterval(timer);
  intake.drain();
  for (const span of batches.due(true)) queue.add([span]);
  await queue.flush(new Promise((resolve) => setTimeout(resolve, exitMs)));
  // Not the exporter's own end, which waits for an export that hangs: what is counted is counted, connections go with the thread.
  process.exit(0);
}
