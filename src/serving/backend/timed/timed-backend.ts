import { readFile } from 'node:fs/promises';
import {
  type Backend,
  type Clock,
  type CostCurve,
  CURVE_FORMS,
  curveOf,
  jittered,
  type Lane,
  type ModelSignature,
  type ModelSpec,
  type OpenedModel,
  type OpenRequest,
  readCurve,
  ServingError,
} from '../../../core/index.js';
import { checkIdentity } from './identity.js';
import { TimedLane } from './timed-lane.js';

const PARAMETERS = ['curve', 'jitter', 'seed'];
/** Of a curve file; text past it is no curve. */
const CURVE_BYTES = 64 * 1024;

/**
 * A device that is not there, for load tests: an execution of b rows takes the time that a curve says and no CPU, and its
 * outputs are its inputs. The curve stands in the model's file (`curve.txt`) or in the parameter `curve`, as for `penstock
 * simulate`; `jitter` and `seed` as there. `open` throws `MODEL_INVALID`.
 */
export function timedBackend({ clock }: { readonly clock: Clock }): Backend {
  return {
    name: 'timed',
    platform: 'penstock_timed',
    defaultModelFiles: ['curve.txt'],
    async open({ modelPath, parameters }: OpenRequest): Promise<OpenedModel> {
      const unknown = Object.keys(parameters).find((name) => !PARAMETERS.includes(name));
      if (unknown !== undefined) throw invalid(`unknown parameter '${unknown}'; known: ${PARAMETERS.join(', ')}`);
      const text = parameters.curve ?? (await readFile(modelPath, 'utf8')).slice(0, CURVE_BYTES);
      const given = readCurve(text);
      if (given === undefined) throw invalid(`expected a curve ${CURVE_FORMS}, got '${text.trim().slice(0, 80)}'`);
      const jitter = numberOf(
        'jitter',
        parameters.jitter ?? '0',
        (value) => value >= 0 && value < 1,
        'a share below 1',
      );
      const seed = numberOf('seed', parameters.seed ?? '1', (value) => Number.isSafeInteger(value), 'a whole number');
      return new TimedModel(timesOf(curveOf(given), jitter, xorshift(seed)), clock);
    },
  };
}

class TimedModel implements OpenedModel {
  /** It has none of its own: the config names inputs and outputs. */
  readonly signature: ModelSignature = { inputs: [], outputs: [] };
  readonly providers = { timer: 1 };
  readonly fallback = undefined;
  readonly lanesPerInstance = 2;
  readonly #times: (rows: number) => number;
  readonly #clock: Clock;

  constructor(times: (rows: number) => number, clock: Clock) {
    this.#times = times;
    this.#clock = clock;
  }

  async createLane(spec: ModelSpec): Promise<Lane> {
    checkIdentity(spec);
    return new TimedLane(spec, this.#times, this.#clock);
  }

  async close(): Promise<void> {}
}

/** Nanoseconds that the next execution takes, by its rows. */
function timesOf(curve: CostCurve, jitter: number, random: () => number): (rows: number) => number {
  return (rows) => jittered(curve.meanNs(rows), jitter, random);
}

/** Marsaglia's xorshift32, uniform in [0, 1): the same seed gives the same times. */
function xorshift(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state / 2 ** 32;
  };
}

function numberOf(name: string, text: string, valid: (value: number) => boolean, expected: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!valid(value)) throw invalid(`parameter ${name}: expected ${expected}, got '${text}'`);
  return value;
}

function invalid(message: string): ServingError {
  return new ServingError('MODEL_INVALID', `timed backend: ${message}`);
}
