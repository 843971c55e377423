/**
 * A module of the compiled `dist/`, for tests that start worker threads: a worker's entry is a compiled file. Typed by its
 * source, e.g. `compiled<typeof import('../../src/core/index.js')>('core/index.js')`.
 */
export async function compiled<T>(path: string): Promise<T> {
  return (await import(new URL(`../../dist/${path}`, import.meta.url).href)) as T;
}
