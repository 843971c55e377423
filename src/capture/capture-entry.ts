import { parentPort, workerData } from 'node:worker_threads';
import { CaptureIntake, type CaptureThreadStart, type ToCaptureThread } from './capture-thread.js';
import { CaptureWriter } from './capture-writer.js';

/** The thread that writes captures: takes rows from the ports that it is sent, until it is told to close. */
const { folder, fileBytes, fileMs, maxBytes } = workerData as CaptureThreadStart;
const parent = parentPort;
if (parent === null) throw new Error('the thread that writes captures was started without one that started it');

const writer = new CaptureWriter({
  folder,
  fileBytes,
  fileMs,
  maxBytes,
  nowMs: () => Date.now(),
  after: (ms, fire) => {
    const timer = setTimeout(fire, ms);
    return () => clearTimeout(timer);
  },
  told: (news) => parent.postMessage(news),
});
const intake = new CaptureIntake((row) => writer.add(row));

parent.on('message', (message: ToCaptureThread) => {
  if (message.kind === 'tap') {
    intake.join(message.port);
    return;
  }
  intake.drain();
  // What it told last has to leave before the thread does: without ports it ends by itself.
  void writer.flush().then(() => parent.close());
});
