import {
  BEFORE_SERVICE,
  type ChargeSource,
  type Clock,
  type InferenceRequest,
  type InferenceResponse,
  NO_DEADLINE,
  type ProbeAnswer,
  type QueueMetrics,
  type RequestMetrics,
  type Tensor,
} from '../core/index.js';
import type { RequestQueue } from '../serving/batcher/index.js';
import { Dataplane, ServedVersion } from '../serving/dataplane/index.js';

/** A version's data path apart from that of requests: the same checks, queue and instances, no figures of requests. */
export class VersionProbe {
  readonly #served: ServedVersion;
  readonly #dataplane: Dataplane;
  readonly #clock: Clock;

  constructor(served: ServedVersion, queue: RequestQueue, clock: Clock) {
    this.#served = new ServedVersion(served.spec, queue, UNCOUNTED);
    this.#clock = clock;
    this.#dataplane = new Dataplane({
      clock,
      metrics: { refused: () => {} },
      whyAbsent: () => undefined,
      charges: APART,
    });
    this.#dataplane.publish(served.spec.id.model, [this.#served]);
  }

  /** See `ProbeTarget`. Under overload others are refused first. */
  ask(inputs: readonly Tensor[]): Promise<ProbeAnswer> {
    return new Promise((resolve, reject) => {
      this.#dataplane.infer(this.#request(inputs), {
        done: (response) => resolve(answerOf(response)),
        failed: reject,
      });
    });
  }

  #request(inputs: readonly Tensor[]): InferenceRequest {
    const nowNs = this.#clock.nowNs();
    const { model, version } = this.#served.spec.id;
    return {
      model,
      version,
      id: '',
      inputs,
      rawInput: undefined,
      outputs: [],
      parameters: {},
      priority: 0,
      timeoutUs: 0,
      deadlineNs: NO_DEADLINE,
      criticalityHeader: 'critical_plus',
      receivedNs: nowNs,
      decodedNs: nowNs,
    };
  }
}

/** Outputs are the lane's until `done` returns. */
function answerOf({ outputs, latency }: InferenceResponse): ProbeAnswer {
  const computeNs = latency.dispatchNs + latency.computeNs;
  return {
    outputs: outputs.map((output) => ({ ...output, data: new Uint8Array(output.data) })),
    latencyNs: latency.gatherNs + computeNs,
    computeNs,
  };
}

const UNCOUNTED: RequestMetrics = {
  succeeded: () => {},
  reused: () => {},
  failed: () => {},
  responded: () => {},
  routed: () => {},
  slowNs: Number.POSITIVE_INFINITY,
  slow: () => {},
  traced: () => {},
};
/** Nobody asked for it but the gateway. */
const APART: ChargeSource = { of: () => BEFORE_SERVICE };

/** A version's figures of executions from its publication on: what is tried before is no work that anybody asked for. */
export class FiguresOncePublished implements QueueMetrics {
  readonly #figures: QueueMetrics;
  published = false;

  constructor(figures: QueueMetrics) {
    this.#figures = figures;
  }

  executed(rows: number, gatherNs: number, computeNs: number, scatterNs: number, paddingShare: number): void {
    if (this.published) this.#figures.executed(rows, gatherNs, computeNs, scatterNs, paddingShare);
  }

  setQueueDepth(requests: number): void {
    this.#figures.setQueueDepth(requests);
  }
}
