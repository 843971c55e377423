import type { RolloutStatus as CoreStatus, RolloutSummary } from '../../core/index.js';
import type { GuardEvidence, LoggedEntry, RolloutPlan } from '../../delivery/index.js';
import type { AdminClient } from '../admin-client.js';

/** A rollout as the admin API tells it. */
export type RolloutView = Omit<CoreStatus, 'guards' | 'plan'> & {
  readonly guards: readonly GuardEvidence[];
  readonly plan: RolloutPlan;
};

interface LogPage {
  readonly lines: readonly (LoggedEntry & { readonly number: number })[];
  readonly next?: number;
}

/** The calls of rollouts. `id`: of one, or the name of a model, whose last one is meant. */
export class RolloutClient {
  readonly #admin: AdminClient;

  constructor(admin: AdminClient) {
    this.#admin = admin;
  }

  start(document: string, name: string): Promise<RolloutView> {
    return this.#admin.post(`/v2/admin/rollouts?name=${encodeURIComponent(name)}`, document);
  }

  async list(): Promise<readonly RolloutSummary[]> {
    return (await this.#admin.get<{ rollouts: readonly RolloutSummary[] }>('/v2/admin/rollouts')).rollouts;
  }

  status(id: string): Promise<RolloutView> {
    return this.#admin.get(pathOf(id));
  }

  ask(id: string, command: string, force = false): Promise<RolloutView> {
    return this.#admin.post(`${pathOf(id)}/${command}${force ? '?force=1' : ''}`);
  }

  unpin(model: string): Promise<unknown> {
    return this.#admin.delete(`/v2/admin/pins/${encodeURIComponent(model)}`);
  }

  /** Its log after the line numbered `after`, and the number to go on with. */
  async log(id: string, after = 0): Promise<{ readonly lines: readonly LoggedEntry[]; readonly last: number }> {
    const lines: LoggedEntry[] = [];
    let last = after;
    for (;;) {
      const page = await this.#admin.get<LogPage>(`${pathOf(id)}/log?most=5000${last === 0 ? '' : `&after=${last}`}`);
      for (const { number, atMs, entry } of page.lines) {
        lines.push({ atMs, entry });
        last = number;
      }
      if (page.next === undefined) return { lines, last };
    }
  }
}

function pathOf(id: string): string {
  return `/v2/admin/rollouts/${encodeURIComponent(id)}`;
}
