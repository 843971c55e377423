import { describe, expect, it } from 'vitest';
import { DATA_TYPES } from '../core/index.js';
import { ELEMENTS, isDataType } from './data-type.js';

describe('data types of the client', () => {
  it('are those of the server', () => {
    const { BYTES: _, ...fixed } = DATA_TYPES;
    const table = Object.entries(fixed).map(([name, { array, elementBytes }]) => [name, [array, elementBytes]]);
    expect(ELEMENTS).toEqual(Object.fromEntries(table));
    expect(Object.keys(DATA_TYPES).every(isDataType)).toBe(true);
    expect([isDataType('FP8'), isDataType('toString'), isDataType(undefined)]).toEqual([false, false, false]);
  });
});
