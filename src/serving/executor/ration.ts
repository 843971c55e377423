/** An instance's part in something that instances share: it runs only while it holds it. */
export interface Ration {
  /** True where it is there now. */
  readonly open: boolean;
  /** Takes it. Throws (our mistake) where it is not open. */
  take(): void;
  /** Gives it back, and offers what came free to those that wait, in their order. */
  give(): void;
  /** The instance is gone; it holds nothing. */
  leave(): void;
}

/** Several parts as one: all of them or none. */
export function allOf(rations: readonly (Ration | undefined)[]): Ration | undefined {
  const given = rations.filter((ration) => ration !== undefined);
  if (given.length < 2) return given[0];
  return {
    get open() {
      return given.every((ration) => ration.open);
    },
    take: () => given.forEach((ration) => void ration.take()),
    give: () => given.forEach((ration) => void ration.give()),
    leave: () => given.forEach((ration) => void ration.leave()),
  };
}
