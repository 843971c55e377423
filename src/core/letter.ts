/** A notice on its way to a webhook. */
export interface Letter {
  /** Name of the webhook. */
  readonly webhook: string;
  /** Of the event; one webhook gets it once. */
  readonly id: string;
  readonly body: string;
}

/** Where letters wait over restarts. Synchronous; throws INTERNAL where it cannot write. */
export interface LetterStore {
  keep(letter: Letter): void;
  /** It was delivered, or given up. No effect where it is not kept. */
  forget(webhook: string, id: string): void;
  /** All that are kept, in the order they came. */
  letters(): readonly Letter[];
}
