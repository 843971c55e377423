import { move, transferableSymbol, valueSymbol } from 'piscina';
import { detachable, failedReply, type TaskMessage, type TaskReply } from './task-message.js';

/** Runs one task on a pool thread. Never throws; the output's buffers are transferred. */
export async function runTask({ task, module, input }: TaskMessage): Promise<unknown> {
  try {
    const exported = ((await import(module)) as Record<string, unknown>)[task];
    if (typeof exported !== 'function') throw new Error(`${module} exports no function '${task}'`);
    const { value, transfer } = detachable(await exported(input));
    const reply: TaskReply = { kind: 'done', output: value };
    return transfer.length === 0 ? reply : move({ [transferableSymbol]: transfer as never, [valueSymbol]: reply });
  } catch (thrown) {
    return failedReply(thrown);
  }
}
