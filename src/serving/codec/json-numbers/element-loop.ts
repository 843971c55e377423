import {
  block,
  branch,
  branchIf,
  choose,
  type Expression,
  type Label,
  type Local,
  loop,
  type NewLocal,
  type Operand,
  type Statement,
  when,
} from '../wasm/assembler.js';
import { i32, i64, v128 } from '../wasm/instructions.js';
import { endsAmong } from './digits-code.js';
import { LEFT_AT, VALUES } from './number-memory.js';

const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const COMMA = 0x2c;
const MINUS = 0x2d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** One element, from behind its sign to where it ends. */
export interface ElementCode {
  readonly local: NewLocal;
  /** 1 where there is a sign, else 0. */
  readonly negative: Local<'i32'>;
  readonly start: Local<'i32'>;
  /** Where the next comma or bracket stands, if it is near. */
  readonly expected: Local<'i32'>;
  /** To be set to where the element ends; whether it may end there is looked at behind it. */
  readonly end: Local<'i32'>;
  /** Where its value goes. */
  readonly to: Local<'i32'>;
  /** Where to branch with an element that this code does not take. */
  readonly stop: Label;
}

/** What the loop is told: all are i32. */
export const LOOP_PARAMETERS = ['i32', 'i32', 'i32', 'i32', 'i32'] as const;
type I32 = Local<'i32'>;
type LoopParameters = readonly [at: I32, rows: I32, rowLength: I32, valueBytes: I32, comma: I32];

/**
 * Reads up to `rows` rows of `rowLength` elements of JSON from the text at `at`; their values, of `valueBytes` each, go to `VALUES`.
 * With `rows` 0 they are elements of an array whose `[` is taken, else whole rows with their brackets. `comma`: one comes first. Stops
 * before the first element (or row) that it cannot take, for any reason: what is wrong with it is for others to say. Gives how many
 * bytes of values it made and leaves at `LEFT_AT` where the last element (or row) of them ends.
 *
 * Commas and brackets are looked for in 64 bytes at once: so the processor knows where the next elements start before it has read
 * this one, and works on several.
 */
export function elementLoop(
  local: NewLocal,
  [at, rows, rowLength, valueBytes, comma]: LoopParameters,
  element: (code: ElementCode) => readonly Statement[],
): { statements: readonly Statement[]; result: Expression<'i32'> } {
  /** What is looked at next, and the byte that stands there; `at` is where the last element ended. */
  const next = local('i32');
  const byte = local('i32');
  const rowLeft = local('i32');
  const rowsLeft = local('i32');
  const to = local('i32');
  /** Where the last whole row ends, and its values. */
  const takenAt = local('i32');
  const takenTo = local('i32');
  const negative = local('i32');
  const start = local('i32');
  const end = local('i32');
  const expected = local('i32');
  const ahead = local('i32');
  /** Bits of the commas and closing brackets of 64 bytes from `ahead` on that are not passed yet. */
  const ends = local('i64');
  const goTo = (address: Operand<'i32'>) => [next.set(address), byte.set(i32.load8(0, next))];
  const skipSpace = when(i32.leU(byte, SPACE), [
    block((done) => [
      loop((again) => [branchIf(i32.eqz(isSpace(byte)), done), ...goTo(i32.add(next, 1)), branch(again)]),
    ]),
  ]);
  const take = (wanted: number, stop: Label) => [
    skipSpace,
    branchIf(i32.ne(byte, wanted), stop),
    ...goTo(i32.add(next, 1)),
  ];
  const openRow = (stop: Label) => [when(rows, take(OPEN_ARRAY, stop)), rowLeft.set(rowLength)];
  return {
    statements: [
      takenAt.set(at),
      to.set(VALUES),
      takenTo.set(to),
      rowsLeft.set(rows),
      ...goTo(at),
      block((stop) => [
        when(comma, take(COMMA, stop)),
        ...openRow(stop),
        loop((again) => [
          skipSpace,
          negative.set(i32.eq(byte, MINUS)),
          start.set(i32.add(next, negative)),
          when(i64.eqz(ends), [ahead.set(start), ends.set(endBits(start))]),
          expected.set(i32.add(ahead, i32.wrap(i64.ctz(ends)))),
          ends.set(i64.and(ends, i64.sub(ends, 1n))),
          ...element({ local, negative, start, expected, end, to, stop }),
          when(i32.ne(end, expected), [
            branchIf(i32.eqz(endsElement(i32.load8(0, end))), stop),
            expected.set(end),
            ends.set(0n),
          ]),
          at.set(expected),
          to.set(i32.add(to, valueBytes)),
          rowLeft.set(i32.sub(rowLeft, 1)),
          ...goTo(at),
          when(i32.eqz(rowLeft), [
            branchIf(i32.eqz(rows), stop),
            ...take(CLOSE_ARRAY, stop),
            takenAt.set(next),
            takenTo.set(to),
            ends.set(0n),
            rowsLeft.set(i32.sub(rowsLeft, 1)),
            branchIf(i32.eqz(rowsLeft), stop),
            ...take(COMMA, stop),
            ...openRow(stop),
            branch(again),
          ]),
          ...take(COMMA, stop),
          branch(again),
        ]),
      ]),
      i32.store(LEFT_AT, 0, choose('i32', rows, takenAt, at)),
    ],
    result: i32.sub(choose('i32', rows, takenTo, to), VALUES),
  };
}

/** Bits of the commas and closing brackets among 64 bytes. */
function endBits(address: Expression<'i32'>): Expression<'i64'> {
  const sixteen = (offset: number) => i64.extendU(endsAmong(v128.load(offset, address)));
  return i64.or(
    i64.or(sixteen(0), i64.shl(sixteen(16), 16n)),
    i64.or(i64.shl(sixteen(32), 32n), i64.shl(sixteen(48), 48n)),
  );
}

function endsElement(byte: Expression<'i32'>): Expression<'i32'> {
  return i32.or(i32.or(i32.eq(byte, COMMA), i32.eq(byte, CLOSE_ARRAY)), isSpace(byte));
}

function isSpace(byte: Expression<'i32'>): Expression<'i32'> {
  return i32.or(i32.or(i32.eq(byte, SPACE), i32.eq(byte, LINE_FEED)), i32.or(i32.eq(byte, TAB), i32.eq(byte, RETURN)));
}
