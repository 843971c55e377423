import type { LoadParameters } from '../../core/index.js';

interface Known {
  readonly members: readonly string[];
  /** Of its last load, for another try. */
  readonly parameters: LoadParameters;
  failed: boolean;
}

/** Which models are ensembles over which others. Pure. */
export class Dependents {
  readonly #ensembles = new Map<string, Known>();
  /** Models that were loaded for the sake of an ensemble, and that nobody asked for. */
  readonly #along = new Set<string>();

  /** A load of an ensemble begins. */
  begin(ensemble: string, members: readonly string[], parameters: LoadParameters): void {
    this.#ensembles.set(ensemble, { members: [...new Set(members)], parameters, failed: false });
  }

  /** A load of it failed: to be tried again when one of its models is there. */
  failed(ensemble: string): void {
    const known = this.#ensembles.get(ensemble);
    if (known !== undefined) known.failed = true;
  }

  /** It is unloaded, or is no ensemble any more. */
  forget(ensemble: string): void {
    this.#ensembles.delete(ensemble);
  }

  /** Models that an ensemble is over; undefined: it is none, or was never loaded. */
  membersOf(ensemble: string): readonly string[] | undefined {
    return this.#ensembles.get(ensemble)?.members;
  }

  /** Ensembles over a model. */
  over(model: string): string[] {
    return [...this.#ensembles].filter(([, { members }]) => members.includes(model)).map(([name]) => name);
  }

  /** Ensembles over a model whose last load failed, with the parameters to try again. */
  toRetry(model: string): { readonly ensemble: string; readonly parameters: LoadParameters }[] {
    return this.over(model).flatMap((ensemble) => {
      const known = this.#ensembles.get(ensemble) as Known;
      return known.failed ? [{ ensemble, parameters: known.parameters }] : [];
    });
  }

  /** A model is loaded for an ensemble. */
  along(model: string): void {
    this.#along.add(model);
  }

  /** Somebody asks for the model itself. */
  asked(model: string): void {
    this.#along.delete(model);
  }

  /** Members of an ensemble that go with it: loaded along, and in no other one (Triton's cascading removal). */
  goingWith(ensemble: string): string[] {
    return (this.membersOf(ensemble) ?? []).filter(
      (model) => this.#along.has(model) && this.over(model).every((other) => other === ensemble),
    );
  }

  /**
   * The way from a model back to itself over members of members; undefined: there is none. `membersOf` reads what is
   * not known yet.
   */
  async cycle(
    ensemble: string,
    membersOf: (model: string) => Promise<readonly string[]>,
  ): Promise<readonly string[] | undefined> {
    const seen = new Set<string>();
    const walk = async (model: string, path: readonly string[]): Promise<readonly string[] | undefined> => {
      for (const member of await membersOf(model)) {
        if (member === ensemble) return [...path, member];
        if (seen.has(member)) continue;
        seen.add(member);
        const found = await walk(member, [...path, member]);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return walk(ensemble, [ensemble]);
  }

  /** Models in the order in which they may drain: ensembles before what they are over. */
  drainOrder(models: readonly string[]): string[][] {
    const rounds: string[][] = [];
    let left = [...models];
    while (left.length > 0) {
      const free = left.filter(
        (model) => !left.some((other) => other !== model && this.membersOf(other)?.includes(model)),
      );
      // Ensembles that were loaded with other configs than they have now may be over each other.
      const round = free.length > 0 ? free : left;
      rounds.push(round);
      left = left.filter((model) => !round.includes(model));
    }
    return rounds;
  }
}
