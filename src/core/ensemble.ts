import type { Charge } from './charge.js';
import type { Criticality } from './criticality.js';
import type { CallerTraits, Parameters } from './inference.js';
import type { TraceContext } from './request-trace.js';
import type { Tenant } from './tenant.js';

/** Platform of a model that is steps over other models. */
export const ENSEMBLE_PLATFORM = 'ensemble';

/** One step of an ensemble, as its config has it: a request for another model. */
export interface EnsembleStep {
  readonly model: string;
  /** Undefined: whichever the model's routes pick. */
  readonly version: number | undefined;
  /** Tensor of the ensemble by input of the model. */
  readonly inputs: ReadonlyMap<string, string>;
  /** Tensor of the ensemble by output of the model; outputs that are not named are not asked for. */
  readonly outputs: ReadonlyMap<string, string>;
}

/** What a request says of itself that the steps made for it say too: routes of their models look at it, and what is told of them names it. */
export interface RequestOrigin {
  readonly id: string;
  readonly parameters: Parameters;
  readonly caller?: CallerTraits | undefined;
  /** The trace that it is in; absent: in none that anybody keeps. */
  readonly trace?: TraceContext | undefined;
}

/** Whom a request is for that the gateway makes itself while it answers another one. Not looked up again: it was, for that one. */
export interface Behalf {
  readonly tenant: Tenant;
  readonly criticality: Criticality;
  /** What the other request is booked as. */
  readonly charge: Charge;
}
