import {
  CRITICALITIES,
  type Criticality,
  criticalityNamed,
  DEFAULT_CRITICALITY,
  type InferenceRequest,
  NOBODY,
  ServingError,
  type Tenant,
} from '../../core/index.js';
import { Tenants } from './tenants.js';

/** Where a request may say something of itself and is believed: in a header, in its parameters, in either, nowhere. */
export type Believed = 'off' | 'header' | 'parameter' | 'any';

/** Who is believed, and which tenants are known. */
export interface CallersOptions {
  readonly tenants: {
    readonly source: Believed;
    /** Of the parameter; transports read the header of this name. */
    readonly name: string;
    readonly weights: Readonly<Record<string, number>>;
    readonly maxUnlisted: number;
  };
  readonly criticality: { readonly source: Believed };
}

/** Header, metadata key and parameter by which a request says how much it matters. */
const CRITICALITY = 'x-penstock-criticality';

const NOBODY_KNOWN: CallersOptions = {
  tenants: { source: 'off', name: '', weights: {}, maxUnlisted: 0 },
  criticality: { source: 'any' },
};

/**
 * Says whom a request is answered for and how much it matters. Headers may be set by a proxy that knows its callers,
 * parameters only by the caller: so a header wins over a parameter, and the configuration says which is believed at all.
 */
export class Callers {
  readonly tenants: Tenants;
  readonly #options: CallersOptions;

  constructor(options: CallersOptions = NOBODY_KNOWN) {
    this.#options = options;
    this.tenants = new Tenants(options.tenants);
  }

  tenantOf(request: InferenceRequest): Tenant {
    if (request.behalf !== undefined) return request.behalf.tenant;
    const { source, name } = this.#options.tenants;
    const told = toldBy(request.tenantHeader, request, source, name);
    return told === '' ? NOBODY : this.tenants.named(told, request.receivedNs);
  }

  /** Throws MALFORMED_REQUEST where a level is named that there is not. */
  criticalityOf(request: InferenceRequest): Criticality {
    if (request.behalf !== undefined) return request.behalf.criticality;
    const told = toldBy(request.criticalityHeader, request, this.#options.criticality.source, CRITICALITY);
    if (told === '') return DEFAULT_CRITICALITY;
    const level = criticalityNamed(told);
    if (level !== undefined) return level;
    const shown = JSON.stringify(told.slice(0, 64));
    throw new ServingError('MALFORMED_REQUEST', `${CRITICALITY}: expected ${CRITICALITIES.join(', ')}, came ${shown}`);
  }
}

function toldBy(header: string | undefined, request: InferenceRequest, source: Believed, name: string): string {
  if (source === 'off') return '';
  if (source !== 'parameter' && header !== undefined && header !== '') return header;
  if (source === 'header') return '';
  const value = request.parameters[name];
  return value === undefined ? '' : String(value);
}
