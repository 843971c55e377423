import { type Parameters, type ParameterValue, ServingError } from '../../core/index.js';
import { MAX_PARAMETERS, shown, type TensorLabel } from './checked-tensor.js';

/** Shared by every request without parameters. */
export const NO_PARAMETERS: Parameters = Object.freeze(Object.create(null) as Record<string, ParameterValue>);

/**
 * Collects the parameters of one request, taking apart those that have a field of their own. The record has no
 * prototype, so that a parameter named `__proto__` is a parameter like any other.
 */
export class RequestParameters {
  priority = 0;
  timeoutUs = 0;
  #rest: Record<string, ParameterValue> | undefined;
  #count = 0;

  get rest(): Parameters {
    return this.#rest ?? NO_PARAMETERS;
  }

  /** Throws `MALFORMED_REQUEST`: a name twice, too many, or a `priority` or `timeout` that is no integer from 0. */
  add(name: string, value: ParameterValue): void {
    if (name === 'priority') this.priority = nonNegativeInteger('parameter "priority"', value);
    else if (name === 'timeout') this.timeoutUs = nonNegativeInteger('parameter "timeout" (microseconds)', value);
    else {
      this.#rest ??= Object.create(null) as Record<string, ParameterValue>;
      if (name in this.#rest) throw new ServingError('MALFORMED_REQUEST', `parameter ${shown(name)} is given twice`);
      this.#rest[name] = value;
    }
    if (++this.#count > MAX_PARAMETERS) {
      throw new ServingError('MALFORMED_REQUEST', `more than ${MAX_PARAMETERS} parameters`);
    }
  }
}

/** `value` as a number (rounded above 2^53), or `MALFORMED_REQUEST` naming `what`. */
export function nonNegativeInteger(what: string, value: ParameterValue | undefined): number {
  if (typeof value === 'bigint' && value >= 0n) return Number(value);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new ServingError('MALFORMED_REQUEST', `${what} must be an integer from 0, came ${shown(String(value))}`);
}

/** Throws `UNSUPPORTED` for the parameters by which a client would name memory of the server's machine. */
export function refuseSharedMemory(label: TensorLabel, name: string): void {
  if (name.startsWith('shared_memory_')) {
    throw new ServingError('UNSUPPORTED', `${label}: shared memory is not supported; send the data with the request`);
  }
}
