import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** Memory of WebAssembly, as far as it is used here. */
interface WasmMemory {
  readonly buffer: ArrayBuffer;
}
interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}
/** What we use of the global `WebAssembly`, which Node's types do not have. */
interface WebAssemblyGlobal {
  readonly Memory: new (size: { initial: number }) => WasmMemory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => WasmInstance;
}
const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyGlobal }).WebAssembly;

/** What Emscripten's module of a decoder is made with, as far as it is used here. */
interface Making {
  readonly noInitialRun: true;
  instantiateWasm(imports: object, done: (instance: WasmInstance) => void): WasmInstance['exports'];
  print(line: string): void;
  printErr(line: string): void;
}

/** A decoder compiled to WebAssembly. */
export interface WasmCodec {
  /** Where its code is, as a package's file. */
  readonly wasm: string;
  /** Its factory; its module is loaded when the first picture comes. */
  load(): Promise<{ readonly default: unknown }>;
  /** Arguments after the file. */
  readonly more: readonly unknown[];
  /** Whether the instance that decoded one picture decodes the next. */
  readonly kept: boolean;
}

interface Decoder {
  decode(
    file: Uint8Array,
    ...more: readonly unknown[]
  ): { width: number; height: number; data: Uint8ClampedArray } | null;
}

interface Made {
  readonly decoder: Decoder;
  readonly memory: WasmMemory | undefined;
  /** What the decoder had to say of the picture. */
  readonly said: string[];
}

/** Memory of a decoder that is kept for the next picture; it never shrinks. */
const MOST_KEPT_BYTES = 64 * 1024 * 1024;

const compiled = new Map<string, object>();
const kept = new Map<string, Made>();

/**
 * Decodes a file to red, green, blue and alpha. Throws what the decoder says of it; of what it says beside, `refused` picks what
 * refuses the picture. After a failure its instance is dropped with its memory, and what a file may have done to it.
 */
export async function decodeByWasm(
  codec: WasmCodec,
  file: Uint8Array,
  refused: (said: string) => boolean,
): Promise<{ width: number; height: number; data: Uint8Array }> {
  const made = kept.get(codec.wasm) ?? (await make(codec));
  kept.delete(codec.wasm);
  made.said.length = 0;
  let decoded: ReturnType<Decoder['decode']>;
  try {
    decoded = made.decoder.decode(file, ...codec.more);
  } catch (thrown) {
    throw new Error(made.said.at(-1) ?? `the decoder failed: ${String((thrown as Error).message ?? thrown)}`);
  }
  const why = decoded === null ? (made.said.at(-1) ?? 'its data is damaged') : made.said.find(refused);
  if (decoded === null || why !== undefined) throw new Error(why ?? '');
  if (codec.kept && (made.memory?.buffer.byteLength ?? Infinity) <= MOST_KEPT_BYTES) kept.set(codec.wasm, made);
  const { width, height, data } = decoded;
  return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

async function make(codec: WasmCodec): Promise<Made> {
  let module = compiled.get(codec.wasm);
  if (module === undefined) {
    module = new Module(readFileSync(require.resolve(codec.wasm)));
    compiled.set(codec.wasm, module);
  }
  const said: string[] = [];
  let memory: WasmMemory | undefined;
  const say = (line: string): void => {
    if (said.length < 16) said.push(String(line).slice(0, 200));
  };
  const factory = (await codec.load()).default as (making: Making) => Promise<Decoder>;
  const decoder = await factory({
    noInitialRun: true,
    instantiateWasm(imports, done) {
      const own = new Instance(module, imports);
      memory = Object.values(own.exports).find((one) => one instanceof Memory);
      done(own);
      return own.exports;
    },
    print: say,
    printErr: say,
  });
  return { decoder, memory, said };
}
