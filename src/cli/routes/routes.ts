import { resolve } from 'node:path';
import type { RoutesStatus } from '../../core/index.js';
import { AdminClient } from '../admin-client.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { readTextFile } from '../text-file.js';
import { textTable } from '../text-table.js';
import type { RoutesFlags } from './routes-commands.js';

const ROUTES = '/v2/admin/routes';
const pathOf = (...names: readonly string[]) => [ROUTES, ...names.map(encodeURIComponent)].join('/');

/** `penstock routes show`. */
export async function listRoutes(flags: RoutesFlags, io: CliIo): Promise<number> {
  const { routes } = await new AdminClient(flags, io).get<{ readonly routes: readonly RoutesStatus[] }>(ROUTES);
  const rows = routes.map(({ model, source, table, leftOut }) => [model, source, String(table), leftOut.join('; ')]);
  const text = rows.length === 0 ? 'no model has routes\n' : textTable(['MODEL', 'SET BY', 'TABLE', 'LEFT OUT'], rows);
  io.stdout.write(flags.json === true ? `${JSON.stringify({ routes })}\n` : text);
  return EXIT_CODES.done;
}

/** `penstock routes show MODEL`. */
export async function showRoutes(
  model: string,
  flags: RoutesFlags & { readonly document?: boolean },
  io: CliIo,
): Promise<number> {
  const status = await new AdminClient(flags, io).get<RoutesStatus>(pathOf(model));
  if (flags.document === true) {
    if (status.document === undefined)
      throw new CliError(
        `the routes of model '${model}' are those of its file, routes.yaml or routes.json beside the model`,
      );
    io.stdout.write(status.document);
  } else if (flags.json === true) io.stdout.write(`${JSON.stringify(status)}\n`);
  else io.stdout.write(`${inWords(status)}${JSON.stringify(status.routes, undefined, 2)}\n`);
  return EXIT_CODES.done;
}

/** `penstock routes set`. A document that cannot be is refused with its faulty line. */
export async function setRoutes(
  { model, file }: { readonly model: string; readonly file: string },
  flags: RoutesFlags,
  io: CliIo,
): Promise<number> {
  const document = readTextFile(file === '-' ? 0 : resolve(io.cwd, file), file);
  return report(await new AdminClient(flags, io).put<RoutesStatus>(pathOf(model), document), flags, io);
}

/** `penstock routes remove`. */
export async function removeRoutes(model: string, flags: RoutesFlags, io: CliIo): Promise<number> {
  const left = await new AdminClient(flags, io).delete<RoutesStatus | Record<string, never>>(pathOf(model));
  if ('model' in left) return report(left as RoutesStatus, flags, io);
  io.stdout.write(flags.json === true ? '{}\n' : `model ${model}: no routes; the highest version answers\n`);
  return EXIT_CODES.done;
}

/** `penstock flags set`, `penstock filters on` and `off`: switches one thing of a model's routes that has a name. */
export async function switchNamed(
  {
    model,
    kind,
    name,
    on,
  }: {
    readonly model: string;
    readonly kind: 'flags' | 'filters';
    readonly name: string;
    readonly on: boolean;
  },
  flags: RoutesFlags,
  io: CliIo,
): Promise<number> {
  const path = pathOf(model, kind, name);
  return report(await new AdminClient(flags, io).put<RoutesStatus>(path, JSON.stringify({ on })), flags, io);
}

function report(status: RoutesStatus, flags: RoutesFlags, io: CliIo): number {
  io.stdout.write(flags.json === true ? `${JSON.stringify(status)}\n` : inWords(status));
  return EXIT_CODES.done;
}

/** Who set the routes, in which table they are, and what is switched how. */
function inWords({ model, source, table, routes, leftOut }: RoutesStatus): string {
  const who = source === 'operator' ? 'set by an operator' : 'of its file';
  const inForce = table === 0 ? 'the model does not serve now' : `in force, table ${table}`;
  const switched = (names: readonly (readonly [string, boolean])[]) =>
    names.map(([name, on]) => `${name} ${on ? 'on' : 'off'}`).join(', ');
  const flags = switched(Object.entries(routes.flags));
  const filters = switched(routes.filters.map(({ name, enabled }) => [name, enabled] as const));
  const lines = [`model ${model}: routes ${who}; ${inForce}`];
  if (flags !== '') lines.push(`flags: ${flags}`);
  if (filters !== '') lines.push(`filters: ${filters}`);
  for (const what of leftOut) lines.push(`left out: ${what}`);
  return `${lines.join('\n')}\n`;
}
