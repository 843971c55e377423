import { ServingError, toServingError } from '../../../core/index.js';
import type { CallReply, DecodedCall, InferForm } from '../http/form/infer-form.js';
import { mapped } from '../ports.js';

/** What runtimes and drivers say where memory ran out: ONNX Runtime's arena, C++, CUDA and its libraries, the system, V8. */
const SAID =
  /out of memory|failed to allocate memory|cannot allocate memory|bad_alloc|ENOMEM|CUDA_ERROR_OUT_OF_MEMORY|ALLOC_FAILED|array buffer allocation failed/i;

/** The failure as OUT_OF_MEMORY where it is one, else as it is. */
export function memoryFailure(thrown: unknown): ServingError {
  const error = toServingError(thrown);
  const { cause } = error;
  if (
    !FAILURES.has(error.reason) ||
    !(SAID.test(error.message) || (cause instanceof Error && SAID.test(cause.message)))
  )
    return error;
  return new ServingError('OUT_OF_MEMORY', error.message, { cause: error });
}

/** Who refuses a request knows why; memory runs out where something is done. */
const FAILURES: ReadonlySet<string> = new Set(['MODEL_INVALID', 'BACKEND_FAILED', 'INTERNAL', 'EXECUTOR_LOST']);

/** A form whose calls tell so, too. */
export function tellingOfMemory(form: InferForm): InferForm {
  return {
    ...form,
    decode: (body, context) =>
      mapped(
        form.decode(body, context),
        (decoded): DecodedCall => ({ begin: (infer, reply) => decoded.begin(infer, telling(reply)) }),
      ),
  };
}

function telling(reply: CallReply): CallReply {
  return {
    get wanted() {
      return reply.wanted;
    },
    done: (answer) => reply.done(answer),
    failed: (error, mark) => reply.failed(memoryFailure(error), mark),
  };
}
