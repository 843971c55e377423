/** The floor under a schedule (`floor/src/serve.rs`) as a server that is measured beside others. */
import { spawn } from 'node:child_process';
import { buildNativeFloor } from '../floors.mjs';
import { freePorts, isReady } from '../gateway-process.mjs';

/** Starts it on a cell; of the shape that `startGateway` has, as far as loads need it. Throws a sentence where it cannot be built. */
export async function startNativeSchedule({ model, curve, load }, { sloMs }) {
  if (model !== undefined) throw new Error(`the side 'floor' runs no models, as '${model}': leave it out with --real`);
  const { program, why } = buildNativeFloor();
  if (program === undefined) throw new Error(`the side 'floor' needs the native floor: ${why}`);
  const [http] = await freePorts(1);
  const { instances, maxBatchSize } = load;
  const words = { curve, instances, 'slo-ms': sloMs, port: http, most: maxBatchSize };
  const flags = Object.entries(words).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(program, ['serve', ...flags], { stdio: 'inherit' });
  while (!(await isReady(http))) {
    if (child.exitCode !== null) throw new Error('the native floor ended');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    ports: { http },
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
    },
  };
}
