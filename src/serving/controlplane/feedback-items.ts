import {
  DEFAULT_FEEDBACK_METRIC,
  didYouMean,
  type Feedback,
  type FeedbackIntake,
  type FeedbackOutcome,
  type Judgment,
  ServingError,
  shownText,
} from '../../core/index.js';

/** Most items of one call: the control thread reads them in one go. */
export const MOST_FEEDBACK_ITEMS = 10_000;
/** Longest body of one call, in characters. */
export const MOST_FEEDBACK_CHARACTERS = 2 * 1024 * 1024;
/** Faults that are told one by one. */
const MOST_TOLD = 100;
const MOST_NAME_LENGTH = 256;

/** What became of the items of one call. */
export interface FeedbackReport {
  /** Joined with their predictions. */
  readonly accepted: number;
  /** No prediction of that id is known; they wait a while for it. */
  readonly unknown: number;
  readonly duplicate: number;
  /** Past the time in which labels count. */
  readonly late: number;
  readonly refused: number;
  /** The first refused ones: place in the call, from 0, and why. */
  readonly errors: readonly { readonly item: number; readonly error: string }[];
}

/**
 * Takes the items of a body: an array or one object of JSON, or one object a line (NDJSON). A faulty item is refused by
 * itself. Throws MALFORMED_REQUEST where the body is none of these, BODY_TOO_LARGE where it holds too much.
 */
export function takeFeedback(text: string, intake: FeedbackIntake): FeedbackReport {
  if (text.length > MOST_FEEDBACK_CHARACTERS) {
    throw new ServingError(
      'BODY_TOO_LARGE',
      `feedback of ${text.length} characters came, at most ${MOST_FEEDBACK_CHARACTERS} are taken in one call`,
    );
  }
  const items = itemsOf(text);
  if (items.length > MOST_FEEDBACK_ITEMS) {
    throw new ServingError(
      'BODY_TOO_LARGE',
      `${items.length} items of feedback came, at most ${MOST_FEEDBACK_ITEMS} are taken in one call`,
    );
  }
  const counts: Record<FeedbackOutcome['kind'], number> = { joined: 0, unknown: 0, duplicate: 0, late: 0, refused: 0 };
  const errors: { item: number; error: string }[] = [];
  for (const [item, read] of items.entries()) {
    const outcome = outcomeOf(read, intake);
    counts[outcome.kind]++;
    if (outcome.kind === 'refused' && errors.length < MOST_TOLD) errors.push({ item, error: outcome.why });
  }
  const { joined: accepted, ...others } = counts;
  return { accepted, ...others, errors };
}

function outcomeOf(read: () => unknown, intake: FeedbackIntake): FeedbackOutcome {
  let feedback: Feedback;
  try {
    feedback = feedbackOf(read());
  } catch (thrown) {
    if (thrown instanceof ServingError) return { kind: 'refused', why: thrown.message };
    throw thrown;
  }
  return intake.accept(feedback);
}

/** Every item, to be read by itself. */
function itemsOf(text: string): (() => unknown)[] {
  const begin = text.trimStart()[0];
  if (begin === '[') {
    const parsed = parsedOf(text);
    if (Array.isArray(parsed)) return parsed.map((item) => () => item);
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0 || begin !== '{') {
    throw malformed('the body of feedback is an array of items in JSON, or one item a line (NDJSON)');
  }
  // One item over several lines: no line of it is JSON by itself.
  if (lines.length > 1 && lines[0]?.trim() === '{') return [() => parsedOf(text)];
  return lines.map((line) => () => parsedOf(line));
}

function parsedOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed(`not JSON: ${shownText(text)}`);
  }
}

const FIELDS = ['id', 'model', 'metric', 'correct', 'label', 'value'];
const JUDGMENTS = ['correct', 'label', 'value'] as const;

/** Throws MALFORMED_REQUEST. */
function feedbackOf(item: unknown): Feedback {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw malformed('an item is a JSON object');
  const fields = item as Record<string, unknown>;
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) throw malformed(`unknown field ${shownText(unknown)}${didYouMean(unknown, FIELDS)}`);
  const given = JUDGMENTS.filter((name) => fields[name] !== undefined);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    throw malformed(
      `an item has one of "correct", "label" and "value"${given.length > 1 ? `, this ${given.length}` : ''}`,
    );
  }
  if (kind === 'value' && fields.metric === undefined) throw malformed('a "value" needs the "metric" that it is of');
  return {
    model: textOf(fields, 'model'),
    requestId: textOf(fields, 'id'),
    metric: fields.metric === undefined ? DEFAULT_FEEDBACK_METRIC : textOf(fields, 'metric'),
    said: judgmentOf(kind, fields[kind]),
  };
}

function judgmentOf(kind: (typeof JUDGMENTS)[number], given: unknown): Judgment {
  switch (kind) {
    case 'correct':
      if (typeof given === 'boolean') return { kind, correct: given };
      throw malformed(`"correct" is a ${typeof given}, expected true or false`);
    case 'label':
      if (typeof given === 'string' || Number.isSafeInteger(given)) return { kind, label: given as string | number };
      throw malformed('"label" is the index of a class, or its name');
    case 'value':
      if (Number.isFinite(given)) return { kind, value: given as number };
      throw malformed('"value" is not a finite number');
  }
}

function textOf(fields: Readonly<Record<string, unknown>>, name: string): string {
  const given = fields[name];
  if (typeof given !== 'string' || given === '') throw malformed(`"${name}" is missing, or no text`);
  if (given.length > MOST_NAME_LENGTH) throw malformed(`"${name}" is longer than ${MOST_NAME_LENGTH} characters`);
  return given;
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
