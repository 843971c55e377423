import type { AttributeTest, AttributeValue, RouteCondition } from '../../core/index.js';
import { type AttributeSource, attributeReader } from './attribute-reader.js';

export type HoldsFor = (from: AttributeSource) => boolean;

type Read = AttributeValue | bigint;

/** A condition as a function of requests, which never throws. */
export function compiledCondition(condition: RouteCondition): HoldsFor {
  if ('all' in condition) {
    const parts = condition.all.map(compiledCondition);
    return (from) => parts.every((holds) => holds(from));
  }
  if ('any' in condition) {
    const parts = condition.any.map(compiledCondition);
    return (from) => parts.some((holds) => holds(from));
  }
  if ('not' in condition) {
    const holds = compiledCondition(condition.not);
    return (from) => !holds(from);
  }
  return compiledTest(condition);
}

function compiledTest(test: AttributeTest): HoldsFor {
  const read = attributeReader(test.of);
  if (test.exists === false) return (from) => read(from) === undefined;
  const comparisons = comparisonsOf(test);
  return (from) => {
    const value = read(from);
    return value !== undefined && comparisons.every((holds) => holds(value));
  };
}

function comparisonsOf({ equals, in: among, prefix, below, above }: AttributeTest): ((value: Read) => boolean)[] {
  const comparisons: ((value: Read) => boolean)[] = [];
  if (equals !== undefined) comparisons.push(isOneOf([equals]));
  if (among !== undefined) comparisons.push(isOneOf(among));
  if (prefix !== undefined) comparisons.push((value) => String(value).startsWith(prefix));
  if (below !== undefined) comparisons.push((value) => numberOf(value) < below);
  if (above !== undefined) comparisons.push((value) => numberOf(value) > above);
  return comparisons;
}

function isOneOf(values: readonly AttributeValue[]): (value: Read) => boolean {
  const texts = new Set(values.map(String));
  // An FP32 element is the nearest to what people write that there is.
  for (const value of values) if (typeof value === 'number') texts.add(String(Math.fround(value)));
  return (value) => texts.has(String(value));
}

/** NaN, which is neither below nor above anything, where it does not read as a number. */
function numberOf(value: Read): number {
  if (typeof value === 'string') return value.trim() === '' ? Number.NaN : Number(value);
  return typeof value === 'boolean' ? Number.NaN : Number(value);
}
