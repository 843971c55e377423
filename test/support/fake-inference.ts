import {
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  ServingError,
  type Tensor,
} from '../../src/core/index.js';
import { routeMark } from '../../src/serving/router/route-mark.js';

/** One call that the fake has taken and not yet settled. */
export interface HeldCall {
  readonly request: InferenceRequest;
  /** Answers with these outputs (default: its inputs, renamed `out_<name>`). */
  answer(outputs?: readonly Tensor[]): void;
  /** As a decoupled model does: gives a response before the last one, and the last one, which may have no outputs. */
  part(outputs?: readonly Tensor[], taken?: () => void): void;
  end(outputs?: readonly Tensor[]): void;
  fail(error: ServingError): void;
}

/**
 * A data path that does what a test says. By default every request is answered at once with its own inputs, or with the
 * raw body; with `hold` it is kept until the test settles it. Like the real one it settles each request exactly once.
 */
export class FakeInference {
  hold = false;
  /** Outputs of every answer in place of the inputs. */
  outputs: readonly Tensor[] | undefined;
  failure: ServingError | undefined;
  /** As they came; their bytes are copies, for the transport's own go with the reply. */
  readonly requests: InferenceRequest[] = [];
  readonly held: HeldCall[] = [];
  cancelled = 0;
  #waiting: { readonly until: () => boolean; readonly resolve: () => void }[] = [];

  infer(request: InferenceRequest, reply: InferenceReply): InferenceHandle {
    let settled = false;
    const once = (act: () => void): void => {
      if (settled) return;
      settled = true;
      const at = this.held.indexOf(call);
      if (at >= 0) this.held.splice(at, 1);
      act();
      this.#wake();
    };
    let index = 0;
    const call: HeldCall = {
      request,
      part: (outputs, taken = () => {}) => {
        if (!settled) reply.part?.({ ...responseOf(request, outputs), index: index++ }, taken);
      },
      end: (outputs = []) => once(() => reply.done({ ...responseOf(request, outputs), index })),
      answer: (outputs) => once(() => reply.done(responseOf(request, outputs ?? this.outputs))),
      fail: (error) => once(() => reply.failed(error)),
    };
    this.requests.push(kept(request));
    if (this.failure !== undefined) call.fail(this.failure);
    else if (this.hold) this.held.push(call);
    else call.answer();
    this.#wake();
    return {
      cancel: () =>
        once(() => {
          this.cancelled++;
          reply.failed(new ServingError('CLIENT_CANCELLED', 'cancelled'));
        }),
    };
  }

  /** Resolves when the condition holds; looked at whenever a request comes or settles. */
  when(until: () => boolean): Promise<void> {
    if (until()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ until, resolve });
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ until }) => !until());
    for (const waiter of waiting) if (!this.#waiting.includes(waiter)) waiter.resolve();
  }
}

function kept(request: InferenceRequest): InferenceRequest {
  const inputs = request.inputs.map((input) => ({ ...input, data: new Uint8Array(input.data) }));
  return { ...request, inputs, rawInput: request.rawInput && new Uint8Array(request.rawInput) };
}

function responseOf(request: InferenceRequest, outputs: readonly Tensor[] | undefined): InferenceResponse {
  const raw: readonly Tensor[] =
    request.rawInput === undefined
      ? request.inputs
      : [{ name: 'raw', dataType: 'UINT8', shape: [request.rawInput.byteLength], data: request.rawInput }];
  return {
    version: { model: request.model, version: request.version ?? 1 },
    id: request.id,
    outputs: outputs ?? raw.map((tensor) => ({ ...tensor, name: `out_${tensor.name}` })),
    parameters: {},
    latency: { decodeNs: 0, queueNs: 0, gatherNs: 0, dispatchNs: 0, computeNs: 0, scatterNs: 0, encodeNs: 0 },
    batchRows: 1,
    paddingShare: 0.5,
    mark: routeMark(request.version ?? 1, 'default', 1, false),
  };
}
