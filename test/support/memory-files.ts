import { type ModelFiles, ServingError } from '../../src/core/index.js';

/** Files of a model in memory, by path. */
export class MemoryFiles implements ModelFiles {
  readonly #contents: Readonly<Record<string, string | Uint8Array>>;

  constructor(contents: Readonly<Record<string, string | Uint8Array>>) {
    this.#contents = contents;
  }

  async list(folder: string): Promise<readonly { name: string; folder: boolean }[] | undefined> {
    const prefix = folder === '.' ? '' : `${folder}/`;
    const below = Object.keys(this.#contents).filter((path) => path.startsWith(prefix));
    if (below.length === 0) return folder === '.' ? [] : undefined;
    const names = new Map(
      below
        .map((path) => path.slice(prefix.length).split('/'))
        .map(([name, ...rest]) => [name as string, rest.length > 0]),
    );
    return [...names]
      .map(([name, isFolder]) => ({ name, folder: isFolder }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async read(path: string): Promise<Uint8Array> {
    const content = this.#contents[path];
    if (content === undefined) throw new ServingError('MODEL_INVALID', `${path} does not exist`);
    return typeof content === 'string' ? Buffer.from(content) : content;
  }

  async locate(path: string): Promise<string> {
    return path;
  }
}
