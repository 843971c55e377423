import { access, instruction, simd } from './assembler.js';

/** The instructions of WebAssembly that our modules use, by the names of its text format. */

const I32 = ['i32', 'i32'] as const;
const I64 = ['i64', 'i64'] as const;
const F64 = ['f64', 'f64'] as const;
const V128 = ['v128', 'v128'] as const;

export const i32 = {
  load: access([0x28], ['i32'], 'i32'),
  load8: access([0x2d], ['i32'], 'i32'),
  store: access([0x36], I32, 'none'),
  store8: access([0x3a], I32, 'none'),
  eqz: instruction([0x45], ['i32'], 'i32'),
  eq: instruction([0x46], I32, 'i32'),
  ne: instruction([0x47], I32, 'i32'),
  ltS: instruction([0x48], I32, 'i32'),
  ltU: instruction([0x49], I32, 'i32'),
  gtS: instruction([0x4a], I32, 'i32'),
  gtU: instruction([0x4b], I32, 'i32'),
  leS: instruction([0x4c], I32, 'i32'),
  leU: instruction([0x4d], I32, 'i32'),
  geS: instruction([0x4e], I32, 'i32'),
  clz: instruction([0x67], ['i32'], 'i32'),
  ctz: instruction([0x68], ['i32'], 'i32'),
  add: instruction([0x6a], I32, 'i32'),
  sub: instruction([0x6b], I32, 'i32'),
  mul: instruction([0x6c], I32, 'i32'),
  divU: instruction([0x6e], I32, 'i32'),
  and: instruction([0x71], I32, 'i32'),
  or: instruction([0x72], I32, 'i32'),
  xor: instruction([0x73], I32, 'i32'),
  shl: instruction([0x74], I32, 'i32'),
  shrS: instruction([0x75], I32, 'i32'),
  wrap: instruction([0xa7], ['i64'], 'i32'),
  /** Of a double, towards 0. */
  truncate: instruction([0xfc, 2], ['f64'], 'i32'),
} as const;

export const i64 = {
  load: access([0x29], ['i32'], 'i64'),
  load32: access([0x35], ['i32'], 'i64'),
  store: access([0x37], ['i32', 'i64'], 'none'),
  store8: access([0x3c], ['i32', 'i64'], 'none'),
  store16: access([0x3d], ['i32', 'i64'], 'none'),
  store32: access([0x3e], ['i32', 'i64'], 'none'),
  eqz: instruction([0x50], ['i64'], 'i32'),
  eq: instruction([0x51], I64, 'i32'),
  ne: instruction([0x52], I64, 'i32'),
  ltU: instruction([0x54], I64, 'i32'),
  gtU: instruction([0x56], I64, 'i32'),
  leU: instruction([0x58], I64, 'i32'),
  geU: instruction([0x5a], I64, 'i32'),
  clz: instruction([0x79], ['i64'], 'i64'),
  ctz: instruction([0x7a], ['i64'], 'i64'),
  add: instruction([0x7c], I64, 'i64'),
  sub: instruction([0x7d], I64, 'i64'),
  mul: instruction([0x7e], I64, 'i64'),
  divU: instruction([0x80], I64, 'i64'),
  and: instruction([0x83], I64, 'i64'),
  or: instruction([0x84], I64, 'i64'),
  xor: instruction([0x85], I64, 'i64'),
  shl: instruction([0x86], I64, 'i64'),
  shrU: instruction([0x88], I64, 'i64'),
  extendU: instruction([0xad], ['i32'], 'i64'),
  reinterpret: instruction([0xbd], ['f64'], 'i64'),
} as const;

export const f64 = {
  load: access([0x2b], ['i32'], 'f64'),
  store: access([0x39], ['i32', 'f64'], 'none'),
  mul: instruction([0xa2], F64, 'f64'),
  div: instruction([0xa3], F64, 'f64'),
  /** Of a signed integer. */
  convert: instruction([0xb9], ['i64'], 'f64'),
  reinterpret: instruction([0xbf], ['i64'], 'f64'),
} as const;

/** Stores a double as an FP32; rounds to nearest, ties to even, as `Math.fround`. */
export const storeAsSingle = access([0xb6, 0x38], ['i32', 'f64'], 'none');

export const v128 = {
  load: access(simd(0), ['i32'], 'v128'),
  store: access(simd(11), ['i32', 'v128'], 'none'),
  and: instruction(simd(78), V128, 'v128'),
  or: instruction(simd(80), V128, 'v128'),
} as const;

export const i8x16 = {
  swizzle: instruction(simd(14), V128, 'v128'),
  eq: instruction(simd(35), V128, 'v128'),
  gtS: instruction(simd(39), V128, 'v128'),
  bitmask: instruction(simd(100), ['v128'], 'i32'),
  add: instruction(simd(110), V128, 'v128'),
  sub: instruction(simd(113), V128, 'v128'),
} as const;

export const i16x8 = {
  mul: instruction(simd(149), V128, 'v128'),
  sub: instruction(simd(145), V128, 'v128'),
  shl: instruction(simd(139), ['v128', 'i32'], 'v128'),
  shrU: instruction(simd(141), ['v128', 'i32'], 'v128'),
  narrowU: instruction(simd(134), V128, 'v128'),
} as const;

export const i32x4 = {
  mul: instruction(simd(181), V128, 'v128'),
  sub: instruction(simd(177), V128, 'v128'),
  shl: instruction(simd(171), ['v128', 'i32'], 'v128'),
  shrU: instruction(simd(173), ['v128', 'i32'], 'v128'),
  dot: instruction(simd(186), V128, 'v128'),
} as const;

export const i64x2 = {
  splat: instruction(simd(18), ['i64'], 'v128'),
  withSecond: instruction([...simd(30), 1], ['v128', 'i64'], 'v128'),
  /** The first lane. */
  first: instruction([...simd(29), 0], ['v128'], 'i64'),
} as const;
