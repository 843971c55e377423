import { type ErrorFacts, type Reason, ServingError } from './errors.js';

/** What a transport knows of the request that failed; empty or absent where it knows nothing. */
export interface FailedRequest {
  readonly model?: string;
  readonly id?: string;
}

/** How the errors of one server look to its clients: other codes and words perhaps, always the same reason. */
export type ErrorView = (error: ServingError, request: FailedRequest) => ServingError;

type Codes = Pick<ErrorFacts, 'http' | 'grpc'>;

/** Triton's words for one of our messages. */
interface Wording {
  /** Matches our message; its groups are `$1` ... */
  readonly ours: RegExp;
  /** `{model}` is the request's. */
  readonly tritons: string;
  /** Begins with the request's id, as Triton begins what a scheduler or the check of a request says. */
  readonly named?: boolean;
  /** Where it depends on the message and not on the reason alone. */
  readonly codes?: Codes;
}

/** Triton's codes where they differ from ours (`http_server.cc` HttpCodeFromError, `grpc_utils.cc`). */
const CODES: Partial<Record<Reason, Codes>> = {
  DEADLINE_EXCEEDED: { http: 503, grpc: 'UNAVAILABLE' },
  CLIENT_CANCELLED: { http: 400, grpc: 'CANCELLED' },
  ALREADY_EXISTS: { http: 400, grpc: 'ALREADY_EXISTS' },
  RESTRICTED: { http: 403, grpc: 'UNAVAILABLE' },
};

const NOT_FOUND: Codes = { http: 404, grpc: 'NOT_FOUND' };
const INTERNAL: Codes = { http: 500, grpc: 'INTERNAL' };
const BATCH_NOTE =
  'NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each input ' +
  'shape. If you want to specify the full shape including the batch dim in your input dims config, try setting ' +
  'max_batch_size to zero. See the model configuration docs for more info on max_batch_size.';

/** Triton's words where its clients and tests look at them. What is not here is said in ours. */
const WORDS: Partial<Record<Reason, readonly Wording[]>> = {
  MODEL_NOT_FOUND: [
    { ours: /^model '(.*)' is not served here$/s, tritons: "Request for unknown model: '$1' is not found" },
    {
      ours: /^(failed to load '.*', failed to poll from model repository)$/s,
      tritons: '$1',
      codes: INTERNAL,
    },
  ],
  VERSION_NOT_FOUND: [
    {
      ours: /^model '(.*)' has no version (\d+); served: /s,
      tritons: "Request for unknown model: '$1' version $2 is not found",
    },
  ],
  VERSION_NOT_READY: [
    {
      ours: /^(Request for unknown model: '.*' has no available versions)(?:: .*)?$/s,
      tritons: '$1',
      codes: NOT_FOUND,
    },
    { ours: /^(Request for unknown model: '.*' version \d+ is not at ready state)(?:: .*)?$/s, tritons: '$1' },
  ],
  UNKNOWN_INPUT: [
    {
      ours: /^unexpected input '(.*)' for model '(.*)'; it has: /s,
      tritons: "unexpected inference input '$1' for model '$2'",
    },
  ],
  UNKNOWN_OUTPUT: [
    {
      ours: /^unexpected output '(.*)' for model '(.*)'; it has: /s,
      tritons: "unexpected inference output '$1' for model '$2'",
    },
  ],
  MISSING_INPUT: [
    {
      ours: /^model '(.*)': expected (\d+) inputs, got (\d+); missing: (.*)$/s,
      tritons:
        "expected $2 inputs but got $3 inputs for model '$1', missing required input(s) [$4]. Please provide all required input(s).",
      named: true,
    },
  ],
  DATA_TYPE_MISMATCH: [
    {
      ours: /^input '(.*)': expected data type (\w+), got (\w+)$/s,
      tritons: "inference input '$1' data-type is '$3', but model '{model}' expects '$2'",
      named: true,
    },
  ],
  SHAPE_MISMATCH: [
    {
      ours: /^input '(.*)': expected shape (\[.*\]), got (\[.*\]) \(the first axis is the batch\)$/s,
      tritons: `unexpected shape for input '$1' for model '{model}'. Expected $2, got $3. ${BATCH_NOTE}`,
      named: true,
    },
    {
      ours: /^input '(.*)': expected shape (\[.*\]), got (\[.*\])$/s,
      tritons: "unexpected shape for input '$1' for model '{model}'. Expected $2, got $3. ",
      named: true,
    },
    {
      ours: /^input '.*': expected a batch size from 1 to (\d+) \(.*\), got \d+$/s,
      tritons: "inference request batch-size must be <= $1 for '{model}'",
      named: true,
    },
    {
      ours: /^input '(.*)': expected batch size \d+ as input '.*' has, got \d+$/s,
      tritons: "input '$1' batch size does not match other inputs for '{model}'",
      named: true,
    },
    {
      ours: /^input "(.*)": \w+ of shape \[.*\] takes (\d+) bytes, came (\d+)$/s,
      tritons: "input byte size mismatch for input '$1' for model '{model}'. Expected $2, got $3",
      named: true,
    },
  ],
  MODEL_INVALID: [
    {
      ours: /^(failed to load '[^']*', )config of the load request/s,
      tritons: '$1failed to poll from model repository',
      codes: INTERNAL,
    },
  ],
  MALFORMED_REQUEST: [
    {
      ours: /^header '(.*)' is reserved: it is not forwarded as a parameter$/s,
      tritons: "Header '$1' is reserved for Triton usage and cannot be forwarded.",
    },
    {
      ours: /^(failed to load '[^']*', )the (?:parameter "file:|file name in the parameter )/s,
      tritons: '$1failed to poll from model repository',
      codes: INTERNAL,
    },
  ],
  QUEUE_FULL: [{ ours: /^/, tritons: 'Exceeds maximum queue size', named: true }],
  DEADLINE_EXCEEDED: [{ ours: /^/, tritons: 'Request timeout expired' }],
  UNSUPPORTED: [
    {
      ours: /^model '.*' has a decoupled transaction policy, .*/s,
      tritons: "this call doesn't support models with decoupled transaction policy",
    },
    {
      ours: /^explicit model (?:un)?load is not allowed while the model control mode is /,
      tritons: 'explicit model load / unload is not allowed if polling is enabled',
      codes: { http: 503, grpc: 'UNAVAILABLE' },
    },
  ],
};

/** What a probe answers where a server or model is not ready: Triton's health routes say 400. */
export const TRITON_NOT_READY_STATUS = 400;

/** An error with other codes than the table of errors gives its reason. */
class TritonError extends ServingError {
  readonly #codes: Codes | undefined;

  constructor(error: ServingError, message: string, codes: Codes | undefined) {
    super(error.reason, message, {
      cause: error.cause,
      ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    });
    this.#codes = codes;
  }

  override get facts(): ErrorFacts {
    const facts = super.facts;
    return this.#codes === undefined ? facts : { ...facts, ...this.#codes };
  }
}

/** An error as Triton's clients and tests know it (`--triton-compatible-errors`). Twice is as once. */
export const tritonError: ErrorView = (error, request) => {
  if (error instanceof TritonError) return error;
  const { reason, message } = error;
  const wording = WORDS[reason]?.find(({ ours }) => ours.test(message));
  const codes = wording?.codes ?? CODES[reason];
  if (wording === undefined) return codes === undefined ? error : new TritonError(error, message, codes);
  return new TritonError(error, tritonMessage(wording, message, request), codes);
};

function tritonMessage({ ours, tritons, named }: Wording, message: string, request: FailedRequest): string {
  const groups = ours.exec(message) as RegExpExecArray;
  const text = tritons
    .replace(/\$(\d)/g, (_, group: string) => groups[Number(group)] ?? '')
    .replace('{model}', () => request.model ?? '');
  if (named !== true) return text;
  const { id = '' } = request;
  return `[request id: ${id === '' ? '<id_unknown>' : id}] ${text}`;
}
