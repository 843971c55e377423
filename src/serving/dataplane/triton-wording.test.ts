import { describe, expect, it } from 'vitest';
import { fp32, modelSpec, request, tensorSpec } from '../../../test/support/specs.js';
import { type InferenceRequest, type ModelSpec, ServingError, toServingError, tritonError } from '../../core/index.js';
import { RoutingTable } from '../router/index.js';
import { Admission } from './index.js';

const two = { inputs: [tensorSpec('a', 'FP32', [2]), tensorSpec('b', 'FP32', [2])] };

/** Spec changes, request changes, and what Triton says. */
const SAID: readonly [Partial<ModelSpec>, Partial<InferenceRequest>, string | RegExp][] = [
  [{}, { inputs: [fp32("it's", [1, 2])] }, "unexpected inference input 'it's' for model 'm'"],
  [{}, { outputs: [{ name: 'z', classification: 0 }] }, "unexpected inference output 'z' for model 'm'"],
  [
    two,
    { inputs: [fp32('a', [1, 2])] },
    "[request id: <id_unknown>] expected 2 inputs but got 1 inputs for model 'm', missing required input(s) ['b']. Please provide all required input(s).",
  ],
  [
    {},
    { inputs: [{ ...fp32('x', [1, 2]), dataType: 'INT32' }], id: 'seven' },
    "[request id: seven] inference input 'x' data-type is 'INT32', but model 'm' expects 'FP32'",
  ],
  [
    {},
    { inputs: [fp32('x', [1, 3])] },
    /^\[request id: <id_unknown>\] unexpected shape for input 'x' for model 'm'\. Expected \[-1,2\], got \[1,3\]\. NOTE: /,
  ],
  [
    { maxBatchSize: 0 },
    { inputs: [fp32('x', [3])] },
    "[request id: <id_unknown>] unexpected shape for input 'x' for model 'm'. Expected [2], got [3]. ",
  ],
  [{}, { inputs: [fp32('x', [5, 2])] }, "[request id: <id_unknown>] inference request batch-size must be <= 4 for 'm'"],
  [
    two,
    { inputs: [fp32('a', [1, 2]), fp32('b', [2, 2])] },
    "[request id: <id_unknown>] input 'b' batch size does not match other inputs for 'm'",
  ],
];

describe("Triton's words for what admission says", () => {
  it.each(SAID)('%j %j', (spec, changes, said) => {
    const asked = request(changes);
    const found = thrownBy(() => new Admission(modelSpec(spec)).admit(asked));
    const shown = tritonError(found, asked);
    if (typeof said === 'string') expect(shown.message).toBe(said);
    else expect(shown.message).toMatch(said);
    expect(shown.reason).toBe(found.reason);
    expect(shown.facts).toEqual(found.facts);
    expect(tritonError(shown, { id: 'other' })).toBe(shown);
  });

  it('names a model that nobody has as Triton does', () => {
    const found = thrownBy(() => RoutingTable.empty(() => '').route(request({ model: 'nope' })));
    expect(tritonError(found, {}).message).toBe("Request for unknown model: 'nope' is not found");
  });
});

describe("Triton's codes", () => {
  it.each([
    ['DEADLINE_EXCEEDED', 503, 'UNAVAILABLE', 'Request timeout expired'],
    ['QUEUE_FULL', 503, 'UNAVAILABLE', '[request id: <id_unknown>] Exceeds maximum queue size'],
    ['CLIENT_CANCELLED', 400, 'CANCELLED', 'what we say'],
    ['RESTRICTED', 403, 'UNAVAILABLE', 'what we say'],
    ['ALREADY_EXISTS', 400, 'ALREADY_EXISTS', 'what we say'],
    ['INTERNAL', 500, 'INTERNAL', 'what we say'],
  ] as const)('%s is %d and %s', (reason, http, grpc, message) => {
    const found = new ServingError(reason, 'what we say', { retryAfterMs: 5 });
    const shown = tritonError(found, {});
    expect(shown.facts).toMatchObject({ http, grpc });
    expect(shown.message).toBe(message);
    expect(shown.retryAfterMs).toBe(found.retryAfterMs);
  });
});

function thrownBy(action: () => unknown): ServingError {
  try {
    action();
  } catch (thrown) {
    return toServingError(thrown);
  }
  throw new Error('nothing was thrown');
}
