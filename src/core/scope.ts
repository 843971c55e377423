/** What tokens are for. `admin` takes in the others. */
export const SCOPES = ['feedback', 'rollout', 'cost', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** A token that is known, less the token. */
export interface TokenFacts {
  readonly name: string;
  readonly scopes: readonly Scope[];
}
