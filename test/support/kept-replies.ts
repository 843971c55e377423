import type { ServingError } from '../../src/core/index.js';
import type { CallReply, EncodedAnswer } from '../../src/serving/transport/http/form/infer-form.js';

/** A reply to a call of a form, and what it was told. */
export function keptReplies(wanted = true) {
  const answers: EncodedAnswer[] = [];
  const failures: ServingError[] = [];
  const reply: CallReply = {
    wanted,
    done: (answer) => void answers.push(answer),
    failed: (error) => void failures.push(error),
  };
  return { answers, failures, reply };
}
