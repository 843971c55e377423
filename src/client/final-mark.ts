import { badAnswer, type PenstockError } from './client-error.js';
import type { InferAnswer } from './protocol.js';

const MARK = 'triton_final_response';

/** One of the answers to a request. */
export interface AnswerPart {
  /** Without the mark; undefined where it only says that nothing more comes. */
  readonly answer: InferAnswer | undefined;
  readonly last: boolean;
}

/** Takes the server's mark of the last part off an answer. One without a mark is the only one. */
export function partOf(answer: InferAnswer): AnswerPart {
  const { [MARK]: mark, ...parameters } = answer.parameters;
  if (mark === undefined) return { answer, last: true };
  const last = mark === true;
  const isEnd = last && Object.keys(answer.outputs).length === 0;
  return { answer: isEnd ? undefined : { ...answer, parameters }, last };
}

/** The failure of a call that takes one answer. */
export function severalParts(): PenstockError {
  return badAnswer('the model answers in parts: ask it by stream()');
}
