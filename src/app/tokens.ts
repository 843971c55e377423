import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { parseTokens, type TokenRow } from '../config/index.js';
import { type Log, ServingError, type TokenFacts } from '../core/index.js';
import { type AdminToken, adminToken } from './admin-token.js';

/** Every token that this gateway knows, by hash. */
export interface Tokens {
  /** A sentence for the operator where the admin token was made, to be shown once. */
  readonly notice: string | undefined;
  /** Compares in constant time with each token. */
  identify(token: string): TokenFacts | undefined;
  /** Names and scopes, the admin token first. */
  list(): readonly (TokenFacts & { readonly created?: string | undefined })[];
}

export interface TokenFiles {
  readonly adminTokenFile?: string | undefined;
  readonly tokensFile?: string | undefined;
}

const ADMIN: TokenFacts = { name: 'admin-token', scopes: ['admin'] };

/**
 * The admin token and those of the tokens file, which is read again when it has changed: a revoked token is refused from the
 * next call on. A file that has become faulty or is gone gives no tokens, until it is right again. Throws MALFORMED_REQUEST where a file is
 * wrong at the start.
 */
export function openTokens({ adminTokenFile, tokensFile }: TokenFiles, log: Log): Tokens {
  const admin = adminToken(adminTokenFile);
  const file = tokensFile === undefined ? undefined : new TokensFile(tokensFile, log);
  return {
    notice: admin.notice,
    identify: (token) => identified(token, admin, file?.rows() ?? []),
    list: () => [ADMIN, ...(file?.rows() ?? []).map(({ name, scopes, created }) => ({ name, scopes, created }))],
  };
}

function identified(token: string, admin: AdminToken, rows: readonly TokenRow[]): TokenFacts | undefined {
  const hash = createHash('sha256').update(token).digest();
  let found = admin.verify(token) ? ADMIN : undefined;
  // To the end, found or not.
  for (const row of rows) if (timingSafeEqual(hash, Buffer.from(row.sha256, 'hex'))) found ??= row;
  return found;
}

class TokensFile {
  readonly #file: string;
  readonly #log: Log;
  #rows: readonly TokenRow[];
  #seen: string;

  constructor(file: string, log: Log) {
    this.#file = file;
    this.#log = log;
    try {
      this.#seen = stampOf(file);
      this.#rows = parseTokens(readFileSync(file, 'utf8'), file);
    } catch (thrown) {
      if (thrown instanceof ServingError) throw thrown;
      const { code } = thrown as NodeJS.ErrnoException;
      throw new ServingError(
        'MALFORMED_REQUEST',
        `${file}: the tokens file cannot be read (${code}); make one with penstock token create --file ${file}`,
        { cause: thrown },
      );
    }
  }

  rows(): readonly TokenRow[] {
    try {
      const stamp = stampOf(this.#file);
      if (stamp === this.#seen) return this.#rows;
      // Faulty or not: it is read once.
      this.#seen = stamp;
      this.#rows = parseTokens(readFileSync(this.#file, 'utf8'), this.#file);
      this.#log.info('the tokens file was read again', { tokens: this.#rows.length });
    } catch (thrown) {
      if (this.#rows.length > 0) {
        this.#log.error('the tokens file cannot be read: its tokens are refused until it is right', {
          why: (thrown as Error).message,
        });
      }
      this.#rows = [];
      if (!(thrown instanceof ServingError)) this.#seen = '';
    }
    return this.#rows;
  }
}

/** Another one for every content that a careful writer (rename) or an editor leaves. */
function stampOf(file: string): string {
  const { ino, size, mtimeNs } = statSync(file, { bigint: true });
  return `${ino} ${size} ${mtimeNs}`;
}
