import type { AuditRow } from '../../serving/controlplane/index.js';
import { AdminClient } from '../admin-client.js';
import { EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { textTable } from '../text-table.js';
import type { RoutesFlags } from './routes-commands.js';

/** `penstock audit`. */
export async function showAudit(
  flags: RoutesFlags & { readonly most: number; readonly before?: number },
  io: CliIo,
): Promise<number> {
  const before = flags.before === undefined ? '' : `&before=${flags.before}`;
  const page = await new AdminClient(flags, io).get<{ readonly entries: readonly AuditRow[]; readonly next?: number }>(
    `/v2/admin/audit?most=${flags.most}${before}`,
  );
  if (flags.json === true) io.stdout.write(`${JSON.stringify(page)}\n`);
  else if (page.entries.length === 0) io.stdout.write('nothing is written down\n');
  else {
    const rows = page.entries.map(({ at, who, from, call, target, outcome, omitted }) => [
      at,
      who,
      from,
      call,
      target,
      omitted === 0 ? outcome : `${outcome} (and ${omitted} refused calls before)`,
    ]);
    io.stdout.write(textTable(['TIME', 'WHO', 'FROM', 'CALL', 'ABOUT', 'OUTCOME'], rows));
    if (page.next !== undefined) io.stderr.write(`penstock: earlier ones: --before ${page.next}\n`);
  }
  return EXIT_CODES.done;
}
