import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTraceparent, parseTraceparent, parseTracestate } from './trace-context.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('traceparent', () => {
  it.each([
    ['sampled', `00-${TRACE}-${SPAN}-01`, true],
    ['not sampled', `00-${TRACE}-${SPAN}-00`, false],
    ['flags that are not known yet', `00-${TRACE}-${SPAN}-03`, true],
    ['a later version', `01-${TRACE}-${SPAN}-01`, true],
    ['a later version with more behind', `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true],
  ])('is read: %s', (_, text, sampled) => {
    expect(parseTraceparent(text)).toEqual({ traceId: TRACE, parentId: SPAN, sampled });
  });

  it.each([
    ['nothing', ''],
    ['the version that is forbidden', `ff-${TRACE}-${SPAN}-01`],
    ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a parent id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['a trace id that is too short', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['more behind in the version that has none', `00-${TRACE}-${SPAN}-01-more`],
    ['a later version with more behind, not parted', `01-${TRACE}-${SPAN}-01more`],
    ['spaces', ` 00-${TRACE}-${SPAN}-01`],
    ['two of them', `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
    ['no hex digits', `00-${'g'.repeat(32)}-${SPAN}-01`],
  ])('is as if it had not come: %s', (_, text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });

  it('is read as it was written, and whatever comes does not throw', () => {
    const hex = (length: number) =>
      fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((text) => !/^0+$/.test(text));
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, parentId, sampled) => {
        const read = parseTraceparent(formatTraceparent(traceId, parentId, sampled));
        return read?.traceId === traceId && read.parentId === parentId && read.sampled === sampled;
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => parseTraceparent(text) === undefined || text.length >= 55));
  });
});

describe('tracestate', () => {
  it.each([
    ['rojo=00f067aa0ba902b7,congo=t61rcWkgMzE', 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'],
    ['foo=1 , \tbar=2', 'foo=1,bar=2'],
    ['foo=1,,bar=2', 'foo=1,bar=2'],
    ['fw529a3039@dt=FfAA', 'fw529a3039@dt=FfAA'],
    ['foo=1,foo=2', ''],
    ['foo', ''],
    ['FOO=1', ''],
    ['foo=a=b', ''],
    ['foo=ä', ''],
    [`foo=${'x'.repeat(257)}`, ''],
    [Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(), ''],
    [`a=${'x'.repeat(250)},b=${'x'.repeat(250)},c=${'x'.repeat(250)}`, ''],
  ])('%s is passed on as %s', (text, kept) => {
    expect(parseTracestate(text)).toBe(kept);
  });
});
