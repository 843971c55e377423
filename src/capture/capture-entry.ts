import { parentPort, workerData } from 'node:worker_threads';
import {
  CaptureIntake,
  type CaptureThreadStart,
  type FromCaptureThread,
  type ToCaptureThread,
} from './capture-thread.js';
import { RowHashing } from './row-hashing.js';
import { createSink } from './sinks/create-sink.js';
import type { SinkTime } from './sinks/sink.js';
import { SharedSinkReport } from './sinks/sink-figures.js';

/** The thread that writes captures and the payload log: takes rows from the ports that it is sent, until it is told to close. */
const { sinks: settings } = workerData as CaptureThreadStart;
const parent = parentPort;
if (parent === null) throw new Error('the thread that writes captures was started without one that started it');

const time: SinkTime = {
  nowMs: () => Date.now(),
  after: (ms, fire) => {
    const timer = setTimeout(fire, ms);
    return () => clearTimeout(timer);
  },
};
const hashing = new RowHashing();
const sinks = settings.map((one) => {
  const told = (why: string, rows: number) => {
    const news: FromCaptureThread = { sink: one.name, rows, why };
    parent.postMessage(news);
  };
  return createSink(one, time, new SharedSinkReport(one.figures, time.nowMs, told));
});
const intake = new CaptureIntake((row) => {
  const stored = hashing.stored(row);
  for (const sink of sinks) sink.add(stored);
});

parent.on('message', (message: ToCaptureThread) => {
  if (message.kind === 'tap') {
    intake.join(message.port);
    return;
  }
  intake.drain();
  // What it told last has to leave before the thread does: without ports it ends by itself.
  void Promise.all(sinks.map((sink) => sink.close(message.limitMs))).then(() => parent.close());
});
