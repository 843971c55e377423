import type { Clock, EnsembleStep, VersionMetrics, VersionPlan } from '../core/index.js';
import { KeptBytes, type SendStep, type SpecOf } from '../serving/ensembles/index.js';
import type { IngressThreads } from '../serving/ingress/index.js';
import { createArena } from './arena.js';
import { HostedEnsemble } from './hosted-ensemble.js';
import type { Reuse } from './reuse.js';

export interface EnsemblesOptions {
  /** Most requests in flight of one version, and most bytes of intermediate tensors over all. */
  readonly maxInFlight: number;
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly send: SendStep;
  /** As `send`, for steps of copies: they run in spare time. */
  readonly copy: SendStep;
  /** Most bytes of intermediate tensors of copies. */
  readonly maxCopiedBytes: number;
  readonly specOf: SpecOf;
  readonly ingress: IngressThreads | undefined;
  readonly reuse: Reuse;
}

/** Intermediate tensors of requests, and of copies of them. */
interface KeptOfAll {
  readonly requests: KeptBytes;
  readonly copies: KeptBytes;
}

/** The ensembles of a gateway: what they share, and which of them a publication concerns. */
export class Ensembles {
  readonly #options: EnsemblesOptions;
  readonly #published = new Map<string, readonly HostedEnsemble[]>();
  #kept: KeptOfAll | undefined;

  constructor(options: EnsemblesOptions) {
    this.#options = options;
  }

  start(plan: VersionPlan & { readonly steps: readonly EnsembleStep[] }, figures: VersionMetrics): HostedEnsemble {
    const { maxInFlight, clock, send, copy, specOf, ingress, reuse } = this.#options;
    // Reserved where the first one is loaded: most gateways have none.
    this.#kept ??= this.#reserve();
    const { requests: kept, copies } = this.#kept;
    return new HostedEnsemble({
      plan,
      figures,
      ingress,
      specOf,
      send,
      kept,
      clock,
      maxInFlight,
      reuse,
      copies: { send: copy, kept: copies },
    });
  }

  /** Of one memory; copies have a bound that leaves the rest to requests. */
  #reserve(): KeptOfAll {
    const { maxBytes, maxCopiedBytes, clock } = this.#options;
    const memory = createArena(maxBytes, clock);
    return {
      requests: new KeptBytes({ memory, maxBytes }),
      copies: new KeptBytes({ memory, maxBytes: maxCopiedBytes }),
    };
  }

  /** `versions` of `model` serve from now on: ensembles over it look at it anew, and its own at their models. */
  published(model: string, versions: readonly object[]): void {
    const ensembles = versions.filter((version): version is HostedEnsemble => version instanceof HostedEnsemble);
    if (ensembles.length === 0) this.#published.delete(model);
    else this.#published.set(model, ensembles);
    // What has been published may not be known to be ready before this turn ends; what it is over may have changed meanwhile.
    queueMicrotask(() => this.look(model));
  }

  /** What serves of `model` may be another, or none: ensembles over it are ready or not by that, and those over them. */
  look(model: string): void {
    for (const [name, ensembles] of this.#published) {
      let changed = false;
      for (const ensemble of ensembles)
        if ((name === model || ensemble.takesPart(model)) && ensemble.look(this.#options.specOf)) changed = true;
      if (changed) this.look(name);
    }
  }
}
