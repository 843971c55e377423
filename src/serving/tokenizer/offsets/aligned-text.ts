/** A character of a changed text, and how it came about: 0 in the place of one, 1 beside the one before, -n in the place of 1 + n. */
export type Change = readonly [character: string, change: number];

/**
 * A text whose characters know which characters of the original text they came from, by the rules of Hugging Face's `NormalizedString`:
 * what is put in belongs to what stood before it, what is left out to nobody. Positions count code points of the original.
 */
export class AlignedText {
  readonly characters: readonly string[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Where it begins in the original: what is put before its first character belongs there. */
  readonly base: number;

  constructor(characters: readonly string[], starts: readonly number[], ends: readonly number[], base: number) {
    this.characters = characters;
    this.starts = starts;
    this.ends = ends;
    this.base = base;
  }

  /** A part of the original, unchanged. */
  static of(text: string, base: number): AlignedText {
    const characters = Array.from(text);
    return new AlignedText(
      characters,
      characters.map((_, i) => base + i),
      characters.map((_, i) => base + i + 1),
      base,
    );
  }

  get text(): string {
    return this.characters.join('');
  }

  get length(): number {
    return this.characters.length;
  }

  /** The text that changes make of it, which tell of all its characters in turn; the first `removed` are left out. */
  changed(changes: readonly Change[], removed = 0): AlignedText {
    const starts: number[] = [];
    const ends: number[] = [];
    let at = removed;
    for (const [, change] of changes) {
      const from = change > 0 ? at - 1 : at;
      starts.push(this.starts[from] ?? this.base);
      ends.push(this.ends[from] ?? this.base);
      if (change <= 0) at += 1 - change;
    }
    return new AlignedText(
      changes.map(([character]) => character),
      starts,
      ends,
      this.base,
    );
  }

  /** Each character in the place of its own, or left out. */
  mapped(map: (character: string) => string | undefined): AlignedText {
    const characters: string[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    for (let i = 0; i < this.length; i++) {
      const made = map(this.characters[i] as string);
      if (made === undefined) continue;
      characters.push(made);
      starts.push(this.starts[i] as number);
      ends.push(this.ends[i] as number);
    }
    return new AlignedText(characters, starts, ends, this.base);
  }

  /** Characters before the first: they take its place, and it that of what is beside them. */
  prepended(text: string): AlignedText {
    const [first] = this.characters;
    if (first === undefined) return this;
    const changes: Change[] = [
      ...Array.from(text, (character, i): Change => [character, i === 0 ? 0 : 1]),
      [first, 1],
      ...this.characters.slice(1).map((character): Change => [character, 0]),
    ];
    return this.changed(changes);
  }

  slice(start: number, end: number): AlignedText {
    return new AlignedText(
      this.characters.slice(start, end),
      this.starts.slice(start, end),
      this.ends.slice(start, end),
      this.base,
    );
  }
}
