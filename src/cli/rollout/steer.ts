import { resolve } from 'node:path';
import type { RolloutSummary } from '../../core/index.js';
import { AdminClient, type AdminFlags } from '../admin-client.js';
import { EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { readTextFile } from '../text-file.js';
import { textTable } from '../text-table.js';
import { RolloutClient, type RolloutView } from './rollout-client.js';
import { rolloutText } from './rollout-text.js';

export type SteerFlags = AdminFlags & { readonly json?: boolean };

/** The client of a command line. */
export function rolloutClient(flags: AdminFlags, io: CliIo): RolloutClient {
  return new RolloutClient(new AdminClient(flags, io));
}

/** A file of the command line as text. */
export function textOf(file: string, io: CliIo): string {
  return readTextFile(resolve(io.cwd, file), file);
}

export async function startRollout(file: string, flags: SteerFlags, io: CliIo): Promise<RolloutView> {
  const view = await rolloutClient(flags, io).start(textOf(file, io), file);
  show(view, flags, io);
  return view;
}

export async function listRollouts(flags: SteerFlags, io: CliIo): Promise<number> {
  const rollouts = await rolloutClient(flags, io).list();
  if (flags.json === true) io.stdout.write(`${JSON.stringify(rollouts, undefined, 2)}\n`);
  else if (rollouts.length === 0) io.stdout.write('no rollouts\n');
  else io.stdout.write(textTable(['rollout', 'model', 'versions', 'state', 'step', 'since', 'why'], rollouts.map(row)));
  return EXIT_CODES.done;
}

export async function showRollout(id: string, flags: SteerFlags, io: CliIo): Promise<number> {
  show(await rolloutClient(flags, io).status(id), flags, io);
  return EXIT_CODES.done;
}

export async function askRollout(
  id: string,
  command: string,
  flags: SteerFlags & { readonly force?: boolean },
  io: CliIo,
): Promise<number> {
  show(await rolloutClient(flags, io).ask(id, command, flags.force === true), flags, io);
  return EXIT_CODES.done;
}

export async function unpinModel(model: string, flags: AdminFlags, io: CliIo): Promise<number> {
  await rolloutClient(flags, io).unpin(model);
  io.stdout.write(`the default of ${model} is its highest version again\n`);
  return EXIT_CODES.done;
}

function show(view: RolloutView, { json }: SteerFlags, io: CliIo): void {
  io.stdout.write(json === true ? `${JSON.stringify(view, undefined, 2)}\n` : rolloutText(view));
}

function row({ id, model, candidate, baseline, state, step, steps, startedMs, why }: RolloutSummary): string[] {
  const since = new Date(startedMs).toISOString();
  return [id, model, `${baseline} -> ${candidate}`, state, `${step + 1} of ${steps}`, since, why];
}
