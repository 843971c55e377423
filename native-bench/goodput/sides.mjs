/**
 * Who is compared: Penstock with each policy, Triton, and a native server of the fluid bound's plan, each in a process of its own on
 * the same model.
 */
import { join } from 'node:path';
import { startGateway } from '../gateway-process.mjs';
import { startTriton } from '../triton/triton-server.mjs';
import { writeTimedModel } from './cells.mjs';
import { startNativeSchedule } from './native-schedule.mjs';
import { writeRealModel } from './real-models.mjs';

const writeModel = (folder, cell, options) =>
  (cell.model === undefined ? writeTimedModel : writeRealModel)(folder, cell, options);

const policy = (name) => ({
  name,
  start: (cell, folder) => {
    const repository = writeModel(join(folder, name), cell, { sloMs: cell.plannedSloMs });
    return startGateway({ repository, flags: ['--scheduling-policy', name] });
  },
});

const delayed = (name, share) => ({
  name,
  start: (cell, folder) =>
    startGateway({
      repository: writeModel(join(folder, name), cell, { delayMs: share * cell.load.sloMs }),
    }),
});

const triton = (name, share) => ({
  name,
  triton: true,
  start: (cell, folder, installed) =>
    startTriton(
      installed,
      writeModel(join(folder, name), cell, { delayMs: share * cell.load.sloMs, python: true }),
      cell.model !== undefined,
    ),
});

/** A window is a share of the SLO. */
export const SIDES = [
  policy('penstock'),
  policy('symphony'),
  policy('pull-drop'),
  policy('pull'),
  policy('aimd'),
  delayed('window-0.1', 0.1),
  triton('triton-0', 0),
  triton('triton-0.1', 0.1),
  triton('triton-0.25', 0.25),
  { name: 'floor', start: (cell) => startNativeSchedule(cell, { sloMs: cell.plannedSloMs }) },
];
