import { type FileHandle, open, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Timelines that wait to be written together, or for a file of their own, in characters; past it they are written. */
const MOST_CHARACTERS = 32 * 2 ** 20;
/** How long timelines wait for others. */
const WAIT_MS = 50;

/** When the timelines of a rule get a file of their own. */
export interface FilePlan {
  /** After so many; 0 = never for that. */
  readonly logFrequency: number;
  /** When so many were made, and none follows; -1 = never for that. */
  readonly count: number;
}

/** Timelines of one rule that are in no file yet. */
interface Gathered {
  texts: string[];
  characters: number;
  /** Since the rule began. */
  made: number;
}

export interface TimelineFileOptions {
  readonly path: string;
  /** Told why nothing can be written. */
  readonly failed: (cause: unknown) => void;
}

/**
 * Writes timelines as Triton does: into one file, or each so many into one with a number behind its name. Unlike Triton's, the file is a
 * whole JSON array at any time: its end is written over with what follows. One write at a time; never rejects.
 */
export class TimelineFile {
  readonly #options: TimelineFileOptions;
  readonly #gathered = new Map<number, Gathered>();
  #waiting: string[] = [];
  #waitingCharacters = 0;
  #timer: NodeJS.Timeout | undefined;
  #file: FileHandle | undefined;
  /** Where the closing bracket stands. */
  #endBytes = 0;
  #nextIndex = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: TimelineFileOptions) {
    this.#options = options;
  }

  /** One timeline of the rule of a key; `plan`: undefined where the rule is in force no longer. */
  add(key: number, text: string, plan: FilePlan | undefined): void {
    if (plan === undefined || (plan.logFrequency === 0 && plan.count < 0)) {
      this.#wait(text);
      return;
    }
    const gathered = this.#gathered.get(key) ?? { texts: [], characters: 0, made: 0 };
    this.#gathered.set(key, gathered);
    gathered.texts.push(text);
    gathered.characters += text.length;
    gathered.made++;
    const full = plan.logFrequency > 0 && gathered.texts.length >= plan.logFrequency;
    if (full || gathered.made === plan.count || gathered.characters > MOST_CHARACTERS) this.#writeIndexed(gathered);
  }

  /** Rules have changed: what those gathered that are in force no longer is written. */
  keep(inForce: (key: number) => boolean): void {
    for (const [key, gathered] of this.#gathered) {
      if (inForce(key)) continue;
      this.#gathered.delete(key);
      for (const text of gathered.texts) this.#wait(text);
    }
  }

  /** Writes all there is; resolves when it is in the file. */
  async close(): Promise<void> {
    this.keep(() => false);
    this.#flush();
    await this.#writing;
    await this.#file?.close().catch(() => {});
    this.#file = undefined;
  }

  #wait(text: string): void {
    this.#waiting.push(text);
    this.#waitingCharacters += text.length;
    if (this.#waitingCharacters > MOST_CHARACTERS) this.#flush();
    else {
      this.#timer ??= setTimeout(() => this.#flush(), WAIT_MS);
      this.#timer.unref();
    }
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const text = this.#waiting.join(',\n');
    this.#waiting = [];
    this.#waitingCharacters = 0;
    this.#write(async () => {
      const { path } = this.#options;
      const bytes = Buffer.from(`${this.#file === undefined ? '[' : ',\n'}${text}]\n`);
      if (this.#file === undefined) {
        await writeWhole(path, bytes);
        this.#file = await open(path, 'r+');
      } else await this.#file.write(bytes, 0, bytes.byteLength, this.#endBytes);
      this.#endBytes += bytes.byteLength - 2;
    });
  }

  #writeIndexed(gathered: Gathered): void {
    const text = `[${gathered.texts.join(',\n')}]\n`;
    gathered.texts = [];
    gathered.characters = 0;
    const path = `${this.#options.path}.${this.#nextIndex++}`;
    this.#write(() => writeWhole(path, text));
  }

  #write(action: () => Promise<void>): void {
    this.#writing = this.#writing.then(action).catch((cause: unknown) => this.#options.failed(cause));
  }
}

/** Nobody finds the file before all of it is there. */
async function writeWhole(path: string, contents: string | Uint8Array): Promise<void> {
  const partly = join(dirname(path), `.${basename(path)}.part`);
  await writeFile(partly, contents, { mode: 0o640 });
  await rename(partly, path);
}
