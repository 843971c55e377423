import {
  type Parameters,
  type ParameterValue,
  type SequenceId,
  type SequencePart,
  ServingError,
} from '../../core/index.js';
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
  /** One object for all three, as most requests have none. */
  #sequence: { id: SequenceId; start: boolean; end: boolean } | undefined;
  #rest: Record<string, ParameterValue> | undefined;
  #count = 0;

  get rest(): Parameters {
    return this.#rest ?? NO_PARAMETERS;
  }

  /** Undefined where the id is absent, 0 or empty: the request is in no sequence, whatever its flags say (as in Triton). */
  get sequence(): SequencePart | undefined {
    const id = this.#sequence?.id ?? 0;
    return id === 0 || id === '' ? undefined : this.#sequence;
  }

  /**
   * Throws `MALFORMED_REQUEST`: a name twice, too many, a `priority` or `timeout` that is no integer from 0, or a place in a
   * sequence that is none.
   */
  add(name: string, value: ParameterValue): void {
    if (name === 'priority') this.priority = nonNegativeInteger('parameter "priority"', value);
    else if (name === 'timeout') this.timeoutUs = nonNegativeInteger('parameter "timeout" (microseconds)', value);
    else if (name === 'sequence_id') this.#part().id = sequenceId(value);
    else if (name === 'sequence_start') this.#part().start = flag(name, value);
    else if (name === 'sequence_end') this.#part().end = flag(name, value);
    else {
      this.#rest ??= Object.create(null) as Record<string, ParameterValue>;
      if (name in this.#rest) throw new ServingError('MALFORMED_REQUEST', `parameter ${shown(name)} is given twice`);
      this.#rest[name] = value;
    }
    if (++this.#count > MAX_PARAMETERS) {
      throw new ServingError('MALFORMED_REQUEST', `more than ${MAX_PARAMETERS} parameters`);
    }
  }

  #part(): { id: SequenceId; start: boolean; end: boolean } {
    this.#sequence ??= { id: 0, start: false, end: false };
    return this.#sequence;
  }
}

/** `value` as a number (rounded above 2^53), or `MALFORMED_REQUEST` naming `what`. */
export function nonNegativeInteger(what: string, value: ParameterValue | undefined): number {
  if (typeof value === 'bigint' && value >= 0n) return Number(value);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new ServingError('MALFORMED_REQUEST', `${what} must be an integer from 0, came ${shown(String(value))}`);
}

/** As Triton has it (`TRITONSERVER_InferenceRequestSetCorrelationIdString`). */
const MOST_ID_LENGTH = 128;
const MOST_ID = 2n ** 64n - 1n;

function sequenceId(value: ParameterValue): SequenceId {
  if (typeof value === 'string') {
    if (value.length <= MOST_ID_LENGTH) return value;
    throw new ServingError(
      'MALFORMED_REQUEST',
      `parameter "sequence_id" has ${value.length} characters, at most ${MOST_ID_LENGTH} are taken`,
    );
  }
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  // One id has one form, or it would be two sequences.
  if (typeof value === 'bigint' && value >= 0n && value <= MOST_ID)
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `parameter "sequence_id" must be an integer from 0 to ${MOST_ID} or a string, came ${shown(String(value))}`,
  );
}

function flag(name: string, value: ParameterValue): boolean {
  if (typeof value === 'boolean') return value;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `parameter "${name}" must be true or false, came ${shown(String(value))}`,
  );
}

/** Throws `UNSUPPORTED` for the parameters by which a client would name memory of the server's machine. */
export function refuseSharedMemory(label: TensorLabel, name: string): void {
  if (name.startsWith('shared_memory_')) {
    throw new ServingError('UNSUPPORTED', `${label}: shared memory is not supported; send the data with the request`);
  }
}
