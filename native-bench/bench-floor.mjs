#!/usr/bin/env node
/**
 * Builds the native floor and sweeps the bench models with it; where it cannot be built, says so and measures bare
 * onnxruntime-node instead.
 *
 *   npm run bench:floor                                   every bench model, batch 1 to 32, one thread, CPU
 *   npm run bench:floor -- --model m.onnx --provider cuda --io-binding --pinned --cuda-graph --batches 1,8 --threads 1
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bareFloor, buildNativeFloor, onnxRuntimeLibrary } from './floors.mjs';
import { MODELS } from './scenarios.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const { program, why } = buildNativeFloor();
const pathOf = (model) => join(HERE, 'models', model, '1/model.onnx');

if (program !== undefined && words.includes('--model')) {
  process.exitCode =
    spawnSync(program, ['--library', onnxRuntimeLibrary(), ...words], { stdio: 'inherit' }).status ?? 1;
} else if (program !== undefined) {
  for (const model of Object.keys(MODELS)) {
    console.log(`${model}:`);
    const { status } = spawnSync(program, ['--library', onnxRuntimeLibrary(), '--model', pathOf(model), ...words], {
      stdio: 'inherit',
    });
    if (status !== 0) process.exitCode = 1;
  }
} else if (words.length > 0) {
  console.error(`the native floor cannot be built (${why}): its options are not to be had`);
  process.exitCode = 1;
} else {
  console.log(`the native floor cannot be built (${why}); bare onnxruntime-node, one thread, instead`);
  const floor = bareFloor();
  for (const model of Object.keys(MODELS)) {
    for (const batch of [1, 2, 4, 8, 16, 32]) {
      const { p50Us, itemsPerSecond } = await floor.measure({ model, callers: 32, batch, ms: 1000 });
      console.log(
        `${model.padEnd(9)} batch ${String(batch).padStart(3)}  p50 ${p50Us.toFixed(1).padStart(9)} us  ${itemsPerSecond.toFixed(0).padStart(9)} items/s`,
      );
    }
  }
  floor.end();
}
