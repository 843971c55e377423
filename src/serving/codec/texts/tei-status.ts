import { type ErrorFacts, type GrpcCode, type Reason, ServingError } from '../../../core/index.js';

/** Codes of text-embeddings-inference's gRPC where they are not ours: overloaded, and what the model or its tokenizer did wrong. */
const CODES: Partial<Record<Reason, GrpcCode>> = {
  QUEUE_FULL: 'RESOURCE_EXHAUSTED',
  OVERLOADED: 'RESOURCE_EXHAUSTED',
  BACKEND_FAILED: 'FAILED_PRECONDITION',
  OUTPUT_SHAPE_MISMATCH: 'FAILED_PRECONDITION',
  EXECUTOR_LOST: 'FAILED_PRECONDITION',
};

class TeiError extends ServingError {
  readonly #grpc: GrpcCode;

  constructor({ reason, message, cause, retryAfterMs }: ServingError, grpc: GrpcCode) {
    super(reason, message, { cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
    this.#grpc = grpc;
  }

  override get facts(): ErrorFacts {
    return { ...super.facts, grpc: this.#grpc };
  }
}

/** An error as its gRPC clients expect it. Twice is as once. */
export function teiStatus(error: ServingError): ServingError {
  const code = CODES[error.reason];
  return code === undefined || error instanceof TeiError ? error : new TeiError(error, code);
}
