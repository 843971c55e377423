import {
  type Backend,
  type DataType,
  type Lane,
  type ModelSignature,
  type OpenedModel,
  type OpenRequest,
  ServingError,
  type SignatureTensor,
} from '../../src/core/index.js';

/** A tensor of a signature, as short as a table of cases wants it. */
export function signatureTensor(
  name: string,
  dataType: DataType | undefined,
  dims: readonly number[] | undefined,
  changes: Partial<SignatureTensor> = {},
): SignatureTensor {
  return { name, dataType, foreignType: undefined, dims, optional: false, ...changes };
}

/** A model with one batched input `x` and one batched output `y`. */
export const BATCHED: ModelSignature = {
  inputs: [signatureTensor('x', 'FP32', [-1, 3])],
  outputs: [signatureTensor('y', 'FP32', [-1, 2])],
};

/** A backend that opens nothing: it follows its script and keeps a record of what was opened and closed. */
export class FakeBackend implements Backend {
  readonly name: string;
  readonly platform: string;
  readonly defaultModelFiles: readonly string[];
  readonly requests: OpenRequest[] = [];
  readonly opened: FakeOpenedModel[] = [];
  signature: ModelSignature = BATCHED;
  /** Called for each open, before it succeeds: throw to fail it, wait to hold it. */
  onOpen: (request: OpenRequest) => void | Promise<void> = () => {};
  opening = 0;
  mostOpening = 0;

  constructor(name = 'onnxruntime', platform = 'onnxruntime_onnx', files: readonly string[] = ['model.onnx']) {
    this.name = name;
    this.platform = platform;
    this.defaultModelFiles = files;
  }

  async open(request: OpenRequest): Promise<OpenedModel> {
    this.requests.push(request);
    this.mostOpening = Math.max(this.mostOpening, ++this.opening);
    try {
      await this.onOpen(request);
    } finally {
      this.opening--;
    }
    const model = new FakeOpenedModel(request, this.signature);
    this.opened.push(model);
    return model;
  }

  /** Makes the next opens of a version (or of all) fail. */
  failOpening(message: string, version?: number): void {
    this.onOpen = ({ id }) => {
      if (version === undefined || id.version === version) throw new ServingError('MODEL_INVALID', message);
    };
  }
}

export class FakeOpenedModel implements OpenedModel {
  readonly request: OpenRequest;
  readonly signature: ModelSignature;
  readonly providers = { CPUExecutionProvider: 1 };
  readonly fallback = undefined;
  readonly lanesPerInstance = 1;
  closes = 0;

  constructor(request: OpenRequest, signature: ModelSignature) {
    this.request = request;
    this.signature = signature;
  }

  createLane(): Promise<Lane> {
    return Promise.reject(new Error('lanes are not what this fake is for'));
  }

  async close(): Promise<void> {
    this.closes++;
  }
}
