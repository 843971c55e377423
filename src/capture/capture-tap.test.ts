import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { FakeInference } from '../../test/support/fake-inference.js';
import { request } from '../../test/support/specs.js';
import { CAPTURE_DROPS, type CaptureRules, ServingError } from '../core/index.js';
import { CaptureTap, type CaptureTapOptions } from './capture-tap.js';
import type { CapturedRow } from './captured-row.js';

const RULES: CaptureRules = { percent: { m: 100 }, redact: {}, tenant: 'keep' };

function setUp(rules: Partial<CaptureRules> = {}, options: Partial<CaptureTapOptions> = {}) {
  const clock = new FakeClock();
  const inference = new FakeInference();
  const rows: CapturedRow[] = [];
  const drops = new Float64Array(CAPTURE_DROPS.length);
  const tap = new CaptureTap({
    inference,
    rules: { ...RULES, ...rules },
    clock,
    random: () => 0.5,
    maxRequestBytes: 1e6,
    maxBytesPerSecond: 1e9,
    maxPendingBytes: 1e9,
    send: (row) => rows.push(row),
    drops,
    ...options,
  });
  const outcomes: string[] = [];
  const ask = (changes: Parameters<typeof request>[0] = {}) =>
    tap.infer(request(changes), { done: () => outcomes.push('done'), failed: () => outcomes.push('failed') });
  const dropped = () => Object.fromEntries(CAPTURE_DROPS.map((why, i) => [why, drops[i]]));
  return { clock, inference, tap, rows, outcomes, ask, dropped };
}

describe('a tap', () => {
  it('leaves requests alone that are not drawn', () => {
    for (const percent of [{}, { m: 0 }, { m: 49 }, { other: 100 }]) {
      const { ask, rows } = setUp({ percent });
      ask();
      expect(rows).toEqual([]);
    }
    const { ask, rows } = setUp({ percent: { '*': 51 } });
    ask();
    expect(rows).toHaveLength(1);
  });

  it('asks transports for what the data path wants, as that stands now', () => {
    const wanted = { headers: ['x-user'], client: false };
    const path = { wanted: undefined as typeof wanted | undefined, infer: () => ({ cancel: () => {} }) };
    const { tap } = setUp({}, { inference: path });
    expect(tap.wanted).toBeUndefined();
    path.wanted = wanted;
    expect(tap.wanted).toBe(wanted);
  });

  it('follows new rules from the next request on', () => {
    const { ask, rows, tap } = setUp({ percent: {} });
    tap.follow(RULES);
    ask();
    tap.follow({ ...RULES, percent: { m: 0 } });
    ask();
    expect(rows).toHaveLength(1);
  });

  it('answers first, and hands on the answer as it came', () => {
    const order: string[] = [];
    const { tap } = setUp({}, { send: () => order.push('captured') });
    tap.infer(request(), { done: ({ outputs }) => order.push(`answered ${outputs.length}`), failed: () => {} });
    expect(order).toEqual(['answered 1', 'captured']);
  });

  it('leaves out what rules say, and only that', () => {
    const redact = { dropInputs: ['x'], hashInputs: [], dropOutputs: [], maskParameters: ['secret'] };
    const { ask, rows } = setUp({ redact: { m: redact }, tenant: 'drop' });
    ask({ parameters: { secret: 'a', open: 1n }, tenantHeader: 'acme' });
    expect(rows[0]).toMatchObject({
      tenant: '',
      parameters: { secret: '***', open: '1' },
      inputs: [{ name: 'x', bytes: 0, redacted: 'dropped' }],
    });
    expect(rows[0]?.data.byteLength).toBe(rows[0]?.outputs[0]?.bytes);
  });

  it('drops copies, never requests: too large, too many bytes a second, too many on their way', () => {
    const large = setUp({}, { maxRequestBytes: 100 });
    large.ask();
    const fast = setUp({}, { maxBytesPerSecond: 2500 });
    const busy = setUp({}, { maxPendingBytes: 2500 });
    for (const { ask } of [fast, busy]) {
      for (let i = 0; i < 4; i++) ask();
    }
    expect([large.dropped().too_large, fast.dropped().rate, busy.dropped().busy]).toEqual([1, 2, 2]);
    for (const { outcomes } of [large, fast, busy]) expect(new Set(outcomes)).toEqual(new Set(['done']));
    fast.clock.advance(1e9);
    busy.tap.taken(2000);
    for (const { ask, rows } of [fast, busy]) {
      ask();
      expect(rows).toHaveLength(3);
    }
  });

  it('gives back what it held of a lease, whatever became of the request', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 10 }), (fates) => {
        const { ask, inference } = setUp({}, { maxPendingBytes: 5000 });
        let held = 0;
        const lease = { bytes: new Uint8Array(0), retain: () => held++, release: () => held-- };
        for (const answered of fates) {
          inference.failure = answered ? undefined : new ServingError('INTERNAL', 'no');
          ask({ lease });
        }
        return held === 0;
      }),
    );
  });
});
