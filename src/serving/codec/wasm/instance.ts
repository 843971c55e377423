/** What we use of the global `WebAssembly`, which Node's types do not have. */
interface WebAssemblyGlobal {
  readonly Memory: new (limits: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

/** Makes a module that runs over a memory of its own of `pages` of 64 KiB; synchronously: ours are small. */
export function instantiate(bytes: Uint8Array, pages: number): { exports: object; memory: ArrayBuffer } {
  const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyGlobal }).WebAssembly;
  const memory = new Memory({ initial: pages, maximum: pages });
  const { exports } = new Instance(new Module(bytes), { env: { memory } });
  return { exports, memory: memory.buffer };
}
