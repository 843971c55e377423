import { assemble } from '../wasm/assembler.js';
import { instantiate } from '../wasm/instance.js';
import { readFloats } from './float-code.js';
import { writeFloats } from './float-text-code.js';
import { readIntegers } from './integer-code.js';
import { fillTables, LEFT_AT, PAGES } from './number-memory.js';

type ReadElements = (at: number, rows: number, rowLength: number, valueBytes: number, comma: number) => number;
interface Exports {
  readonly readFloats: ReadElements;
  readonly readIntegers: ReadElements;
  readonly writeFloats: (count: number, valueBytes: number, comma: number) => number;
}

/** The WebAssembly that reads and writes numbers, and its memory: one piece of work at a time may use them. */
export interface NumberCode extends Exports {
  readonly memory: Uint8Array;
  /** What stands at `LEFT_AT`. */
  readonly left: Int32Array;
}

let code: NumberCode | undefined;

/** This thread's, made when it is first asked for. */
export function numberCode(): NumberCode {
  code ??= make();
  return code;
}

function make(): NumberCode {
  const { exports, memory } = instantiate(assemble(PAGES, [readFloats(), readIntegers(), writeFloats()]), PAGES);
  fillTables(memory);
  return { ...(exports as Exports), memory: new Uint8Array(memory), left: new Int32Array(memory, LEFT_AT, 1) };
}
