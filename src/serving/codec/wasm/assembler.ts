/**
 * WebAssembly written in TypeScript: expressions and statements with the types of WebAssembly's values, and functions of
 * TypeScript as its macros. A module is assembled when it is first used, so that it needs no compiler and no file of bytes.
 * Opcodes and sections: https://webassembly.github.io/spec/core/binary/.
 */

export type ValueType = 'i32' | 'i64' | 'f64' | 'v128';

/** What leaves a value of type `T` on the stack; `none`: a statement. */
export interface Expression<T extends ValueType | 'none'> {
  readonly type: T;
  emit(code: Code): void;
}
export type Statement = Expression<'none'>;
interface Literals {
  readonly i32: number;
  readonly i64: bigint;
  readonly f64: number;
  readonly v128: never;
}
/** An expression, or a literal where its type has any. */
export type Operand<T extends ValueType> = Expression<T> | Literals[T];

/** What `branch` goes to: behind a block, or to the start of a loop. */
export interface Label {
  readonly label: true;
}

/** The code of one function as it grows. */
class Code {
  readonly bytes: number[] = [];
  /** Blocks that are open, the innermost last. */
  readonly labels: Label[] = [];

  all(statements: readonly Statement[]): void {
    for (const statement of statements) statement.emit(this);
  }

  within(label: Label, opcode: number, statements: readonly Statement[]): void {
    this.bytes.push(opcode, NO_VALUE);
    this.labels.push(label);
    this.all(statements);
    this.labels.pop();
    this.bytes.push(END);
  }
}

const TYPES = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b } as const satisfies Record<ValueType, number>;
const NO_VALUE = 0x40;
const ELSE = 0x05;
const END = 0x0b;
const SIMD = 0xfd;

function expression<T extends ValueType | 'none'>(type: T, emit: (code: Code) => void): Expression<T> {
  return { type, emit };
}

function asExpression<T extends ValueType>(type: T, operand: Operand<T>): Expression<T> {
  if (typeof operand === 'object') return operand;
  return expression(type, ({ bytes }) => {
    if (typeof operand === 'bigint') bytes.push(0x42, ...signed(operand));
    else if (type === 'f64') bytes.push(0x44, ...new Uint8Array(Float64Array.of(operand as number).buffer));
    else bytes.push(0x41, ...signed32(operand as number));
  });
}

type Operands<P extends readonly ValueType[]> = { [K in keyof P]: Operand<P[K] & ValueType> };

/** The instruction of these bytes, as a function of its operands. */
export function instruction<const P extends readonly ValueType[], T extends ValueType | 'none'>(
  opcode: readonly number[],
  parameters: P,
  result: T,
): (...operands: Operands<P>) => Expression<T> {
  return (...operands) =>
    expression(result, (code) => {
      operands.forEach((operand, i) => {
        const type = parameters[i] as ValueType;
        asExpression(type, operand as Operand<typeof type>).emit(code);
      });
      code.bytes.push(...opcode);
    });
}

/** The bytes of a SIMD instruction. */
export function simd(opcode: number): number[] {
  return [SIMD, ...unsigned(opcode)];
}

/** A load or store of these bytes: its first operand is an address, to which `offset` is added. */
export function access<const P extends readonly ValueType[], T extends ValueType | 'none'>(
  opcode: readonly number[],
  parameters: P,
  result: T,
): (offset: number, ...operands: Operands<P>) => Expression<T> {
  return (offset, ...operands) => instruction([...opcode, 0, ...unsigned(offset)], parameters, result)(...operands);
}

/** Both are computed; `condition` chooses. */
export function choose<T extends ValueType>(
  type: T,
  condition: Operand<'i32'>,
  then: Operand<T>,
  otherwise: Operand<T>,
): Expression<T> {
  return expression(type, (code) => {
    asExpression(type, then).emit(code);
    asExpression(type, otherwise).emit(code);
    asExpression('i32', condition).emit(code);
    code.bytes.push(0x1b);
  });
}

/** Statements that a branch to the label leaves. */
export function block(body: (end: Label) => readonly Statement[]): Statement {
  const label: Label = { label: true };
  const statements = body(label);
  return expression('none', (code) => code.within(label, 0x02, statements));
}

/** Statements that a branch to the label repeats; else they end once. */
export function loop(body: (again: Label) => readonly Statement[]): Statement {
  const label: Label = { label: true };
  const statements = body(label);
  return expression('none', (code) => code.within(label, 0x03, statements));
}

export function branch(to: Label): Statement {
  return expression('none', (code) => code.bytes.push(0x0c, ...unsigned(depth(code, to))));
}

export function branchIf(condition: Operand<'i32'>, to: Label): Statement {
  return expression('none', (code) => {
    asExpression('i32', condition).emit(code);
    code.bytes.push(0x0d, ...unsigned(depth(code, to)));
  });
}

export function when(
  condition: Operand<'i32'>,
  then: readonly Statement[],
  otherwise: readonly Statement[] = [],
): Statement {
  const label: Label = { label: true };
  return expression('none', (code) => {
    asExpression('i32', condition).emit(code);
    code.within(label, 0x04, [
      ...then,
      ...(otherwise.length === 0 ? [] : [expression('none', ({ bytes }) => bytes.push(ELSE)), ...otherwise]),
    ]);
  });
}

function depth(code: Code, to: Label): number {
  const at = code.labels.lastIndexOf(to);
  if (at < 0) throw new Error('a branch leaves its function');
  return code.labels.length - 1 - at;
}

/** A variable of a function. */
export class Local<T extends ValueType> implements Expression<T> {
  readonly type: T;
  readonly #index: number;

  constructor(type: T, index: number) {
    this.type = type;
    this.#index = index;
  }

  emit(code: Code): void {
    code.bytes.push(0x20, ...unsigned(this.#index));
  }

  set(value: Operand<T>): Statement {
    return expression('none', (code) => {
      asExpression(this.type, value).emit(code);
      code.bytes.push(0x21, ...unsigned(this.#index));
    });
  }
}

/** Makes the variables of a function. */
export type NewLocal = <T extends ValueType>(type: T) => Local<T>;

type Locals<P extends readonly ValueType[]> = { [K in keyof P]: Local<P[K] & ValueType> };

/** A function of a module. */
export interface AssembledFunction {
  readonly name: string;
  readonly type: readonly number[];
  readonly code: readonly number[];
}

/** An exported function that returns an i32, by what `body` makes of its variables: its statements, and the result behind them. */
export function exported<const P extends readonly ValueType[]>(
  name: string,
  parameters: P,
  body: (local: NewLocal, ...parameters: Locals<P>) => { statements: readonly Statement[]; result: Operand<'i32'> },
): AssembledFunction {
  const types: ValueType[] = [...parameters];
  const local: NewLocal = (type) => new Local(type, types.push(type) - 1);
  const code = new Code();
  const made = body(local, ...(parameters.map((type, i) => new Local(type, i)) as Locals<P>));
  code.all(made.statements);
  asExpression('i32', made.result).emit(code);
  const variables = types.slice(parameters.length).map((type) => [1, TYPES[type]]);
  return {
    name,
    type: [0x60, ...list(parameters.map((type) => [TYPES[type]])), 1, TYPES.i32],
    code: sized(list(variables).concat(code.bytes, END)),
  };
}

/** A module of these functions over a memory that it is given as `env.memory`, of `pages` of 64 KiB. */
export function assemble(pages: number, functions: readonly AssembledFunction[]): Uint8Array {
  const memory = [named('env'), named('memory'), [0x02, 1], unsigned(pages), unsigned(pages)].flat();
  return new Uint8Array(
    [
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      section(1, list(functions.map(({ type }) => type))),
      section(2, list([memory])),
      section(3, list(functions.map((_, i) => unsigned(i)))),
      section(7, list(functions.map(({ name }, i) => [named(name), [0x00], unsigned(i)].flat()))),
      section(10, list(functions.map(({ code }) => code))),
    ].flat(),
  );
}

function section(id: number, content: readonly number[]): number[] {
  return [id].concat(sized(content));
}

function list(items: readonly (readonly number[])[]): number[] {
  return unsigned(items.length).concat(items.flat());
}

function sized(bytes: readonly number[]): number[] {
  return unsigned(bytes.length).concat(bytes);
}

function named(name: string): number[] {
  return sized([...Buffer.from(name)]);
}

/** LEB128. */
function unsigned(value: number): number[] {
  if (value < 0x80) return [value];
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

function signed32(value: number): number[] {
  const bytes: number[] = [];
  for (; value < -0x40 || value >= 0x40; value >>= 7) bytes.push((value & 0x7f) | 0x80);
  bytes.push(value & 0x7f);
  return bytes;
}

function signed(value: bigint): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = Number(value & 0x7fn);
    value >>= 7n;
    if (value === (low & 0x40 ? -1n : 0n)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}
