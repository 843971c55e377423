import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { FakeInference } from '../../test/support/fake-inference.js';
import { request } from '../../test/support/specs.js';
import { CAPTURE_DROPS, type CaptureRules, type PayloadRule, ServingError } from '../core/index.js';
import { CaptureTap, type CaptureTapOptions } from './capture-tap.js';
import type { CapturedRow } from './captured-row.js';
import { tapRules } from './tap-rules.js';

const RULES: CaptureRules = { percent: { m: 100 }, redact: {}, tenant: 'keep' };
const captured = (rules: CaptureRules, maxRequestBytes = 1e6) => tapRules({ kind: 'capture', rules, maxRequestBytes });

type SetUpOptions = Partial<CaptureTapOptions> & { readonly maxRequestBytes?: number };

function setUp(rules: Partial<CaptureRules> = {}, { maxRequestBytes, ...options }: SetUpOptions = {}) {
  const clock = new FakeClock();
  const inference = new FakeInference();
  const rows: CapturedRow[] = [];
  const drops = new Float64Array(CAPTURE_DROPS.length);
  const tap = new CaptureTap({
    inference,
    rules: captured({ ...RULES, ...rules }, maxRequestBytes),
    clock,
    random: () => 0.5,
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
    tap.follow(captured(RULES));
    ask();
    tap.follow(captured({ ...RULES, percent: { m: 0 } }));
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
    const fast = setUp({}, { maxBytesPerSecond: 3000 });
    const busy = setUp({}, { maxPendingBytes: 3000 });
    for (const { ask } of [fast, busy]) {
      for (let i = 0; i < 4; i++) ask();
    }
    expect([large.dropped().too_large, fast.dropped().rate, busy.dropped().busy]).toEqual([1, 2, 2]);
    for (const { outcomes } of [large, fast, busy]) expect(new Set(outcomes)).toEqual(new Set(['done']));
    fast.clock.advance(1e9);
    busy.tap.taken(2600);
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

const NOTHING_REDACTED = {
  dropInputs: [],
  hashInputs: [],
  dropOutputs: [],
  maskParameters: [],
  maskHeaders: [],
  hashHeaders: [],
};
const RULE: PayloadRule = {
  model: 'm',
  percent: 100,
  errorPercent: 0,
  request: true,
  answer: true,
  headers: [],
  redact: NOTHING_REDACTED,
  maxRowBytes: 1e6,
};
const logged = (...models: Partial<PayloadRule>[]) =>
  tapRules({ kind: 'payload', rules: { models: models.map((one) => ({ ...RULE, ...one })), tenant: 'keep' } });

describe('the rules of a payload log', () => {
  it('are those of the first pattern that fits the name of the model', () => {
    const rules = logged(
      { model: 'digits', percent: 1 },
      { model: 'digits-*-small', percent: 2 },
      { model: '*-es*-es', percent: 3 },
      { model: 'd*', percent: 4 },
    );
    const percents = ['digits', 'digits-a-small', 'digits-small', 'x-es-es', 'x-es', 'd', 'none'].map(
      (model) => (rules.of(model)?.share ?? 0) * 100,
    );
    expect(percents).toEqual([1, 2, 4, 3, 0, 4, 0]);
  });

  it('fit as a regular expression would', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(pattern, text, (model, name) => {
        const expression = new RegExp(`^${model.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        return (logged({ model }).of(name) !== undefined) === expression.test(name);
      }),
    );
  });

  it('keep more of those that fail, and say of what part a row is', () => {
    const rules = logged({ percent: 10, errorPercent: 80 });
    const { ask, rows, inference } = setUp({}, { rules, random: () => 0.5 });
    ask();
    expect(rows).toEqual([]);
    inference.failure = new ServingError('QUEUE_FULL', 'full');
    ask();
    expect(rows).toMatchObject([{ error: 'QUEUE_FULL', sampleRate: 0.8 }]);
    const more = setUp({}, { rules, random: () => 0.05 });
    more.ask();
    expect(more.rows).toMatchObject([{ error: undefined, sampleRate: 0.1 }]);
    const allThatFail = setUp({}, { rules: logged({ percent: 10, errorPercent: 100 }), random: () => 0.5 });
    allThatFail.ask();
    expect(allThatFail.rows).toEqual([]);
  });

  it('ask transports for the headers that they name, beside those of routes, and mask what is not to be kept', () => {
    const redact = { ...NOTHING_REDACTED, maskHeaders: ['authorization'], hashHeaders: ['x-user'] };
    const rules = logged({ headers: ['user-agent', 'authorization', 'x-user', 'absent'], redact });
    const path = new FakeInference();
    const { tap, rows } = setUp({}, { rules, inference: path });
    expect(tap.wanted).toEqual({ headers: ['user-agent', 'authorization', 'x-user', 'absent'], client: false });
    const headers = { 'user-agent': 'curl', authorization: 'Bearer secret', 'x-user': 'ann', 'x-route': 'b' };
    tap.infer(request({ caller: { headers, client: '' } }), { done: () => {}, failed: () => {} });
    expect(rows).toMatchObject([
      { headers: { 'user-agent': 'curl', authorization: '***', 'x-user': 'ann' }, hashHeaders: ['x-user'] },
    ]);
    expect(rows[0]?.headers).not.toHaveProperty('x-route');
  });

  it('leave out halves, and the elements of what is too large', () => {
    const noAnswer = setUp({}, { rules: logged({ answer: false }) });
    noAnswer.ask();
    expect(noAnswer.rows).toMatchObject([{ outputs: [], withRequest: true, withAnswer: false }]);
    const noRequest = setUp({}, { rules: logged({ request: false }) });
    noRequest.ask({ parameters: { user: 'ann' } });
    expect(noRequest.rows).toMatchObject([{ inputs: [], parameters: {}, withRequest: false, withAnswer: true }]);
    const large = setUp({}, { rules: logged({ maxRowBytes: 1 }) });
    large.ask();
    expect(large.rows[0]?.inputs).toMatchObject([{ bytes: 0, redacted: 'too_large' }]);
    expect(large.rows[0]?.data.byteLength).toBe(0);
    expect(large.dropped()).toMatchObject({ too_large: 1 });
    expect(large.outcomes).toEqual(['done']);
  });

  it('count long parameters and headers too, and leave them out where they are too large', () => {
    const parameters = { pad: 'x'.repeat(10_000) };
    const kept = setUp({}, { rules: logged({ maxRowBytes: 50_000 }) });
    kept.ask({ parameters });
    expect(kept.rows).toMatchObject([{ parameters, textBytes: expect.toSatisfy((bytes: number) => bytes > 20_000) }]);
    const large = setUp({}, { rules: logged({ maxRowBytes: 10_000 }) });
    large.ask({ parameters });
    expect(large.rows).toMatchObject([
      { parameters: {}, textBytes: expect.toSatisfy((bytes: number) => bytes < 1000) },
    ]);
    const busy = setUp({}, { rules: logged({}), maxPendingBytes: 15_000 });
    busy.ask({ parameters });
    expect(busy.rows).toEqual([]);
    expect(busy.dropped()).toMatchObject({ busy: 1 });
  });
});
