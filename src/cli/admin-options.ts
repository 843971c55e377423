import type { Command } from 'commander';
import { DEFAULT_ADMIN_URL } from './admin-client.js';

/** Adds where the admin API is and who asks: `AdminFlags`. */
export function withAdminOptions(command: Command, scope: string): Command {
  return command
    .option('--url <url>', `Admin API of the gateway; default PENSTOCK_ADMIN_URL, else ${DEFAULT_ADMIN_URL}`)
    .option('--token-file <file>', `File with a token of scope ${scope}; default the text of PENSTOCK_TOKEN`)
    .option('--token <token>', 'The token itself; others on this machine can read it')
    .option('--json', 'Print JSON');
}
