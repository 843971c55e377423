import type { AuditEntry, AuditOutcome, AuditTrail, TokenFacts } from '../../src/core/index.js';
import { Authority, type AuthorityOptions } from '../../src/serving/controlplane/index.js';
import { FakeClock } from './fake-clock.js';
import { SilentLog } from './silent-log.js';

/** An audit in memory; `fault` makes its writes fail. */
export class KeptAudit implements AuditTrail {
  fault: Error | undefined;
  readonly #kept: (AuditEntry & { readonly sequence: number })[] = [];

  add(entry: AuditEntry): number {
    if (this.fault !== undefined) throw this.fault;
    return this.#kept.push({ ...entry, sequence: this.#kept.length + 1 });
  }

  settle(sequence: number, outcome: AuditOutcome): void {
    if (this.fault !== undefined) throw this.fault;
    this.#kept[sequence - 1] = { ...this.#kept[sequence - 1]!, outcome };
  }

  entries(before = Number.MAX_SAFE_INTEGER, most = 100): readonly (AuditEntry & { readonly sequence: number })[] {
    return this.#kept
      .filter(({ sequence }) => sequence < before)
      .reverse()
      .slice(0, most);
  }
}

/** An authority that knows tokens by heart. */
export function authorityOf(
  tokens: Readonly<Record<string, TokenFacts>>,
  options: Partial<Omit<AuthorityOptions, 'identify'>> = {},
): Authority {
  return new Authority({
    identify: (token) => (Object.hasOwn(tokens, token) ? tokens[token] : undefined),
    audit: new KeptAudit(),
    clock: new FakeClock(),
    log: new SilentLog(),
    ...options,
  });
}

/** One token, with every right. */
export function adminAuthority(token: string): Authority {
  return authorityOf({ [token]: { name: 'admin', scopes: ['admin'] } });
}
