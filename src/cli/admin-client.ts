import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ERRORS } from '../core/index.js';
import { CliError, EXIT_CODES } from './exit-codes.js';
import { gatewayFetch, unreachable } from './gateway-fetch.js';
import type { CliIo } from './io.js';

export const DEFAULT_ADMIN_URL = 'http://127.0.0.1:8003';

/** Where the admin API is and who asks. */
export interface AdminFlags {
  readonly url?: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

/** Calls of the admin API. Failures are `CliError`s. */
export class AdminClient {
  readonly #url: string;
  readonly #token: string | undefined;

  /** The address and the token come of flags, else of PENSTOCK_ADMIN_URL and PENSTOCK_TOKEN. */
  constructor({ url, token, tokenFile }: AdminFlags, { env, cwd }: Pick<CliIo, 'env' | 'cwd'>) {
    const given = url ?? env.PENSTOCK_ADMIN_URL ?? DEFAULT_ADMIN_URL;
    this.#url = (/^https?:\/\//.test(given) ? given : `http://${given}`).replace(/\/+$/, '');
    const kept = tokenFile === undefined ? env.PENSTOCK_TOKEN : readToken(resolve(cwd, tokenFile), tokenFile);
    this.#token = token ?? kept;
  }

  get<T>(path: string): Promise<T> {
    return this.#call('GET', path);
  }

  post<T>(path: string, body = ''): Promise<T> {
    return this.#call('POST', path, body);
  }

  put<T>(path: string, body: string): Promise<T> {
    return this.#call('PUT', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.#call('DELETE', path, '');
  }

  async #call<T>(method: string, path: string, body?: string): Promise<T> {
    let reply: Response;
    try {
      reply = await gatewayFetch(this.#url + path, {
        method,
        headers: this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` },
        signal: AbortSignal.timeout(60_000),
        ...(body === undefined ? {} : { body }),
      });
    } catch (thrown) {
      throw unreachable(
        this.#url,
        thrown,
        'admin API',
        'start the gateway with --admin-port 8003, or give its address with --url',
      );
    }
    const text = await reply.text();
    if (reply.ok) return JSON.parse(text) as T;
    const how = HOW_TO_GO_ON[reply.status] ?? '';
    throw new CliError(
      `${messageOf(text, reply.status)}${how}`,
      reply.status === ERRORS.MALFORMED_REQUEST.http ? EXIT_CODES.usage : undefined,
    );
  }
}

/** By the status of a refusal: its words are for clients of any kind. */
const HOW_TO_GO_ON: Readonly<Record<number, string>> = {
  [ERRORS.UNAUTHENTICATED.http]:
    '; give it with --token-file or --token, or in PENSTOCK_TOKEN (penstock token create makes one)',
  [ERRORS.FORBIDDEN.http]: '; penstock token list shows what tokens are for',
};

function readToken(file: string, shown: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (thrown) {
    throw new CliError(
      `${shown}: the token cannot be read (${(thrown as NodeJS.ErrnoException).code})`,
      EXIT_CODES.usage,
    );
  }
}

function messageOf(text: string, status: number): string {
  try {
    return String((JSON.parse(text) as { error?: unknown }).error ?? text);
  } catch {
    return text.trim() === '' ? `the admin API answers with status ${status}` : text.trim().slice(0, 200);
  }
}
