import { callGate } from '../call-gate.js';
import { BoundLane, type BoundLaneOptions } from './bound-lane.js';
import { ProgramThread } from './program-thread.js';
import { STEP_WORDS } from './run-program.js';

/** How long a load waits until no other execution is in flight. */
const CAPTURE_PATIENCE_MS = 10_000;

/**
 * Opens a bound lane: thread, buffers and, with graphs, one capture a size. Rejects with what does not work. While a graph is
 * captured CUDA refuses other threads what could break it, as memory: so on a GPU nothing else runs from the first buffer to
 * the last capture.
 */
export async function openBoundLane(options: BoundLaneOptions): Promise<BoundLane> {
  const { session, spec, device } = options;
  let lane: BoundLane | undefined;
  const words = 1 + (spec.inputs.length + spec.outputs.length + 2) * STEP_WORDS;
  const thread = new ProgramThread(session.library.path, device, words, () => lane?.lost());
  const build = async (): Promise<BoundLane> => {
    const built = new BoundLane(options, thread);
    lane = built;
    await built.prepare().catch(async (error) => {
      await built.close();
      throw error;
    });
    return built;
  };
  try {
    await thread.ready;
    return await (device.copies === 'cuda' ? callGate.alone(build, CAPTURE_PATIENCE_MS) : build());
  } catch (error) {
    await thread.close();
    throw error;
  }
}
