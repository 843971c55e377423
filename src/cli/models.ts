import { EXIT_CODES } from './exit-codes.js';
import type { CliIo } from './io.js';
import { textTable } from './text-table.js';
import { V2Client } from './v2-client.js';

/** `penstock models`: the index of a running gateway. Fails where it is not ready. */
export async function models(options: { readonly url: string; readonly json: boolean }, io: CliIo): Promise<number> {
  const client = new V2Client(options.url);
  const [ready, index] = await Promise.all([client.ready(), client.index()]);
  if (options.json) io.stdout.write(`${JSON.stringify({ ready, models: index })}\n`);
  else {
    const rows = index.map((row) => [row.name, row.version ?? '-', row.state ?? '-', row.reason ?? '']);
    io.stdout.write(rows.length === 0 ? 'no models\n' : textTable(['MODEL', 'VERSION', 'STATE', 'REASON'], rows));
    if (!ready) io.stdout.write('the gateway is not ready\n');
  }
  return ready ? EXIT_CODES.done : EXIT_CODES.failed;
}
