import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { fetchByTls } from '../client/index.js';
import { CliError, EXIT_CODES } from './exit-codes.js';
import type { CliIo } from './io.js';

let byTls: typeof fetch | undefined;

/** `fetch` as the options of the command want it: of all calls to a gateway. */
export const gatewayFetch: typeof fetch = (input, init) =>
  byTls !== undefined && String(input).startsWith('https:') ? byTls(input, init) : fetch(input, init);

/** What no answer came for: `nobody` and what to do then, or a certificate that one of the two does not trust. */
export function unreachable(url: string, thrown: unknown, nobody: string, advice: string): CliError {
  const cause = (thrown as { cause?: { code?: string } }).cause?.code ?? (thrown as Error).message;
  const untrusted = /CERT|SIGNATURE|ERR_TLS|ERR_SSL/.test(cause);
  const message = untrusted
    ? `${url}: a certificate is not trusted (${cause}); see --ca-file, --cert-file and --key-file`
    : `no ${nobody} answers at ${url} (${cause}); ${advice}`;
  return new CliError(message, EXIT_CODES.unreachable);
}

const OPTIONS = [
  ['--ca-file <file>', "HTTPS: certificates that the gateway's is checked by, in PEM; default PENSTOCK_CA_FILE"],
  ['--cert-file <file>', 'HTTPS: certificate to show, where the gateway wants one; default PENSTOCK_CERT_FILE'],
  ['--key-file <file>', 'HTTPS: its private key; default PENSTOCK_KEY_FILE'],
] as const;

/** Gives the commands that ask a gateway, which are those with `--url` or `--server`, what HTTPS needs. */
export function addTlsOptions(program: Command, io: Pick<CliIo, 'env' | 'cwd'>): void {
  for (const command of program.commands) {
    const asks = command.options.some(({ long }) => long === '--url' || long === '--server');
    // The load generator speaks no TLS.
    if (command.name() === 'bench') continue;
    if (asks) {
      for (const [flags, description] of OPTIONS) command.option(flags, description);
      command.hook('preAction', (_, action) => {
        byTls = fetchOf(action.opts(), io);
      });
    }
    addTlsOptions(command, io);
  }
}

interface TlsFlags {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** Undefined: nothing is said of TLS. */
function fetchOf({ caFile, certFile, keyFile }: TlsFlags, { env, cwd }: Pick<CliIo, 'env' | 'cwd'>) {
  const read = (name: 'ca' | 'cert' | 'key', file: string | undefined) => {
    if (file === undefined || file === '') return {};
    try {
      return { [name]: readFileSync(resolve(cwd, file)) };
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      throw new CliError(`--${name}-file: ${file} cannot be read (${code})`, EXIT_CODES.usage);
    }
  };
  const tls = {
    ...read('ca', caFile ?? env.PENSTOCK_CA_FILE),
    ...read('cert', certFile ?? env.PENSTOCK_CERT_FILE),
    ...read('key', keyFile ?? env.PENSTOCK_KEY_FILE),
  };
  return Object.keys(tls).length === 0 ? undefined : fetchByTls(tls);
}
