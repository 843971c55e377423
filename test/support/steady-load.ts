import type { RunningGateway } from './running-gateway.js';

/** One answer of a gateway under load. */
export interface LoadAnswer {
  /** Of the request: what came back is compared with it. */
  readonly id: number;
  readonly status: number;
  readonly version: string;
  readonly route: string;
  readonly sentMs: number;
  /** When its answer came. */
  readonly atMs: number;
  /** Top index of the answer; undefined where there was none. */
  readonly top: number | undefined;
}

/** Keeps requests in flight at a gateway whose model `model` is `releases.js`, and every answer. */
export class SteadyLoad {
  readonly answers: LoadAnswer[] = [];
  /** Connections that ended without an answer. */
  lost = 0;
  readonly #done: Promise<unknown>;
  #going = true;
  #next = 0;

  constructor(gateway: () => RunningGateway, model: string, inFlight: number, key?: (id: number) => string) {
    const loop = async () => {
      while (this.#going) await this.#one(gateway(), model, key);
    };
    this.#done = Promise.all(Array.from({ length: inFlight }, loop));
  }

  /** Sends no more; resolves when every request has its answer. */
  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
  }

  async #one(gateway: RunningGateway, model: string, key?: (id: number) => string): Promise<void> {
    const id = this.#next++;
    const body = {
      id: `r${id}`,
      inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [id % 4, 0] }],
    };
    const sentMs = Date.now();
    try {
      const headers = key === undefined ? {} : { 'x-user': key(id) };
      const answer = await gateway.post(`/v2/models/${model}/infer`, body, headers);
      const data = answer.status === 200 ? (answer.json().outputs[0].data as number[]) : undefined;
      this.answers.push({
        id,
        status: answer.status,
        version: String(answer.headers['x-penstock-version']),
        route: String(answer.headers['x-penstock-route']),
        sentMs,
        atMs: Date.now(),
        top: data?.indexOf(1),
      });
    } catch {
      this.lost++;
    }
  }
}
