import type { ServingError } from '../../core/index.js';
import type { ControlPlane } from '../controlplane/index.js';
import { errorOfWire, type WireError, wireError } from './wire-error.js';

/** The control plane as another thread calls it. */
export type RemoteControl = {
  readonly [Call in keyof ControlPlane]: ControlPlane[Call] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never;
};

/** Every call of the control plane; a table, so that no message can name anything else. */
const CALLS = {
  live: true,
  ready: true,
  serverMetadata: true,
  modelMetadata: true,
  modelReady: true,
  modelConfig: true,
  modelStatistics: true,
  modelStatus: true,
  modelScheduler: true,
  modelLatency: true,
  sloStatus: true,
  repositoryIndex: true,
  repositoryLoad: true,
  repositoryUnload: true,
  adoptModel: true,
  adoptedModels: true,
  setVersionLabels: true,
  logSettings: true,
  setLogSettings: true,
  traceSettings: true,
  setTraceSettings: true,
  sharedMemoryStatus: true,
  sharedMemoryRegister: true,
  sharedMemoryUnregister: true,
  cudaMemoryStatus: true,
  cudaMemoryRegister: true,
  cudaMemoryUnregister: true,
  feedback: true,
} as const satisfies Record<keyof ControlPlane, true>;

/** What a thread asks of the control thread beside the control plane's calls. */
export type WhyAbsentHere = (model: string, version: number | undefined) => ServingError | undefined;

const WHY_ABSENT = 'whyAbsent';

/** Answers what threads ask, with the objects and errors that a caller on this thread gets. */
export class ControlDesk {
  readonly #control: () => ControlPlane;
  readonly #whyAbsent: WhyAbsentHere;

  /** `control` is asked for with each call: it may be made after the threads that ask. */
  constructor(control: () => ControlPlane, whyAbsent: WhyAbsentHere) {
    this.#control = control;
    this.#whyAbsent = whyAbsent;
  }

  async answer(method: string, args: readonly unknown[]): Promise<unknown> {
    if (method === WHY_ABSENT) {
      const [model, version] = args as Parameters<WhyAbsentHere>;
      const error = this.#whyAbsent(model, version);
      return error && wireError(error);
    }
    if (!Object.hasOwn(CALLS, method)) throw new Error(`no call '${method}'`);
    const control = this.#control();
    const call = control[method as keyof ControlPlane] as (...args: unknown[]) => unknown;
    return call.apply(control, [...args]);
  }
}

interface Asked {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: ServingError) => void;
}

/** Asks the control thread, from another one. */
export class ControlQuestions {
  readonly control: RemoteControl;
  readonly #send: (call: number, method: string, args: readonly unknown[]) => void;
  readonly #asked = new Map<number, Asked>();
  #calls = 0;

  constructor(send: (call: number, method: string, args: readonly unknown[]) => void) {
    this.#send = send;
    this.control = Object.fromEntries(
      Object.keys(CALLS).map((method) => [method, (...args: readonly unknown[]) => this.#ask(method, args)]),
    ) as unknown as RemoteControl;
  }

  async whyAbsent(model: string, version: number | undefined): Promise<ServingError | undefined> {
    const error = (await this.#ask(WHY_ABSENT, [model, version])) as WireError | undefined;
    return error && errorOfWire(error);
  }

  answered(call: number, value: unknown): void {
    this.#take(call)?.resolve(value);
  }

  refused(call: number, error: WireError): void {
    this.#take(call)?.reject(errorOfWire(error));
  }

  #take(call: number): Asked | undefined {
    const asked = this.#asked.get(call);
    this.#asked.delete(call);
    return asked;
  }

  #ask(method: string, args: readonly unknown[]): Promise<unknown> {
    const call = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#asked.set(call, { resolve, reject });
      this.#send(call, method, args);
    });
  }
}
