import type { Command } from 'commander';
import { addBench } from './bench/index.js';
import { addClientCommands } from './client-commands.js';
import { addCost } from './cost/index.js';
import { addTlsOptions } from './gateway-fetch.js';
import { addGenerateTypes } from './generate-types/index.js';
import type { CliIo } from './io.js';
import { addLocalCommands } from './local-commands.js';
import { addReplay } from './replay/index.js';
import { addRollout } from './rollout/index.js';
import { addRoutes } from './routes/index.js';
import { addSimulate } from './simulate/index.js';
import { addSlo } from './slo/index.js';
import { addToken } from './token/index.js';
import { addTune } from './tune/index.js';

/** Every command but `serve`. What they bring (simulation, plots, image readers) is not for a gateway that starts. */
export function addOtherCommands(program: Command, io: CliIo, exit: (code: number) => void): void {
  addClientCommands(program, io, exit);
  addLocalCommands(program, io, exit);
  addReplay(program, io, exit);
  addBench(program, io, exit);
  addSimulate(program, io, exit);
  addRollout(program, io, exit);
  addRoutes(program, io, exit);
  addSlo(program, io, exit);
  addCost(program, io, exit);
  addToken(program, io, exit);
  addTune(program, io, exit);
  addGenerateTypes(program, io, exit);
  addTlsOptions(program, io);
}
