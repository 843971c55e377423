import type { Feedback } from '../../core/index.js';
import type { Waiting } from './early-labels.js';
import type { Prediction } from './prediction-memory.js';

/** What became known of joins in a while, in this order within each list; numbers are those of predictions and of items that wait. */
export interface JoinNews {
  readonly predicted: readonly Prediction[];
  readonly told: readonly (readonly [number: number, metric: string])[];
  readonly ambiguous: readonly number[];
  readonly waiting: readonly Waiting[];
  /** Items that found their prediction. */
  readonly found: readonly number[];
}

interface BunchText {
  readonly predicted: readonly (readonly [
    number: number,
    model: string,
    id: string,
    version: number,
    split: number,
    atMs: number,
    topIndex: number | null,
  ])[];
  readonly told: JoinNews['told'];
  readonly ambiguous: readonly number[];
  readonly waiting: readonly (readonly [number: number, untilMs: number, feedback: Feedback])[];
  readonly found: readonly number[];
}

/** News as text of the store: some 70 bytes a prediction. */
export function bunchText({ predicted, told, ambiguous, waiting, found }: JoinNews): string {
  const text: BunchText = {
    predicted: predicted.map(({ number, model, id, version, split, atMs, topIndex }) => [
      number,
      model,
      id,
      version,
      split,
      atMs,
      topIndex ?? null,
    ]),
    told,
    ambiguous,
    waiting: waiting.map(({ number, untilMs, feedback }) => [number, untilMs, feedback]),
    found,
  };
  return JSON.stringify(text);
}

/** The news of such a text. What predictions were told stands apart, as in the text. */
export function newsOf(body: string): JoinNews {
  const { predicted, told, ambiguous, waiting, found } = JSON.parse(body) as BunchText;
  return {
    predicted: predicted.map(([number, model, id, version, split, atMs, topIndex]) => ({
      number,
      model,
      id,
      version,
      split,
      atMs,
      topIndex: topIndex ?? undefined,
      stored: true,
      ambiguous: false,
      told: [],
    })),
    told,
    ambiguous,
    waiting: waiting.map(([number, untilMs, feedback]) => ({ number, untilMs, feedback, stored: true })),
    found,
  };
}
