import { describe, expect, it } from 'vitest';
import { modelRoutes } from '../../test/support/routes.js';
import { SilentLog } from '../../test/support/silent-log.js';
import { tensorSpec } from '../../test/support/specs.js';
import type { ModelRelease, OperatorRoutes } from '../core/index.js';
import { Traffic } from './traffic.js';

function traffic(
  options: {
    release?: ModelRelease;
    kept?: Record<string, OperatorRoutes>;
    refuse?: boolean;
    labelsAhead?: boolean;
  } = {},
) {
  const changed: string[] = [];
  const kept: unknown[] = [];
  const log = new SilentLog();
  const made = new Traffic({
    log,
    labelsAhead: options.labelsAhead ?? false,
    changed: async (model) => void changed.push(model),
    serving: (model) =>
      model === 'm' ? { versions: [1, 2], table: 5, outputs: [tensorSpec('y', 'FP32', [2])] } : undefined,
    releaseOf: () => options.release,
    keeping: {
      kept: new Map(Object.entries(options.kept ?? {})),
      keep: (model, routes) => {
        if (options.refuse === true) throw new Error('the disk is full');
        kept.push([model, routes]);
      },
    },
  });
  return { traffic: made, changed, kept, log };
}

const reason = (promise: Promise<void>) =>
  promise.then(
    () => 'done',
    (error) => `${error.reason ?? error.name}: ${error.message}`,
  );

describe('the traffic of a model', () => {
  it('is what its file says, what an operator says over that, and the file again', async () => {
    const { traffic: all, changed } = traffic();
    expect(all.trafficOf('m', [1, 2])).toEqual({ routes: undefined, release: undefined });
    all.filed('m', modelRoutes({ default: 1 }));
    expect(all.trafficOf('m', [1, 2]).routes?.default).toBe(1);
    await all.set('m', 'default: 2', 'me');
    expect(all.trafficOf('m', [1, 2]).routes?.default).toBe(2);
    expect(all.get('m')).toMatchObject({ source: 'operator', table: 5, leftOut: [] });
    await all.remove('m', 'me');
    expect(all.get('m')).toMatchObject({ source: 'file', routes: { default: 1 } });
    expect(changed).toEqual(['m', 'm']);
  });

  it('has its flags switched over file or document, and as a new document says', async () => {
    const { traffic: all, kept } = traffic();
    all.filed('m', modelRoutes({ flags: { beta: false } }));
    await all.setFlag('m', 'beta', true, 'me');
    expect(all.trafficOf('m', [1]).routes?.flags).toEqual({ beta: true });
    await all.set('m', 'flags: { beta: false }', 'me');
    expect(all.trafficOf('m', [1]).routes?.flags).toEqual({ beta: false });
    expect(kept).toEqual([
      ['m', { document: undefined, flags: { beta: true }, filters: {} }],
      ['m', { document: 'flags: { beta: false }', flags: {}, filters: {} }],
    ]);
  });

  it('has no filter that answers what is no output of the model', async () => {
    const { traffic: all, changed, log } = traffic();
    const document = (answer: string) => `filters:
  - name: f
    when: {of: {from: tenant}, exists: true}
    answer:
      - ${answer}
`;
    const set = (answer: string) => reason(all.set('m', document(answer), 'me'));
    const refused = 'MALFORMED_REQUEST: routes:5: filters[0].answer[0]: ';
    expect(await set('{name: z, datatype: FP32, shape: [2], data: [1, 2]}')).toContain(
      `${refused}the model has no output 'z'`,
    );
    expect(await set('{name: y, datatype: INT32, shape: [2], data: [1, 2]}')).toBe(
      `${refused}output 'y' is FP32, the answer has INT32`,
    );
    expect(await set('{name: y, datatype: FP32, shape: [1, 2], data: [1, 2]}')).toBe(
      `${refused}output 'y' has the shape [2] less the batch axis, the answer has [1,2]`,
    );
    expect(changed).toEqual([]);
    expect(await set('{name: y, datatype: FP32, shape: [2], data: [1, 2]}')).toBe('done');
    const outputs = [tensorSpec('y', 'FP32', [3])];
    expect(all.trafficOf('m', [1, 2], { outputs }).routes?.filters).toEqual([]);
    expect(log.lines.at(-1)?.fields).toMatchObject({
      leftOut: ["filter 'f' (output 'y' has the shape [3] less the batch axis, the answer has [2])"],
    });
  });

  it('refuses what cannot be, and changes nothing then', async () => {
    const { traffic: all, changed } = traffic();
    expect(await reason(all.set('m', 'default: 9', 'me'))).toMatch(
      /^MALFORMED_REQUEST: routes:1: default: version 9 is not served/,
    );
    expect(await reason(all.set('other', 'default: 1', 'me'))).toMatch(/^MODEL_NOT_FOUND/);
    expect(await reason(all.remove('m', 'me'))).toMatch(/^MODEL_NOT_FOUND/);
    expect(await reason(all.setFlag('m', 'beta', true, 'me'))).toMatch(/^MODEL_NOT_FOUND/);
    all.filed('m', modelRoutes({ flags: { beta: false } }));
    expect(await reason(all.setFlag('m', 'betta', true, 'me'))).toMatch(/did you mean 'beta'/);
    expect(changed).toEqual([]);
  });

  it('has labels set over those of its file, each time in the place of those set before', async () => {
    const { traffic: all, kept, changed } = traffic();
    const labels = () => all.trafficOf('m', [1, 2]).routes?.labels;
    await all.setLabels('m', { stable: 1 }, 'me');
    expect(labels()).toEqual({ stable: 1 });
    all.filed('m', modelRoutes({ labels: { old: 1, stable: 2 }, default: 'stable' }));
    expect(labels()).toEqual({ old: 1, stable: 1 });
    expect([all.hasLabels('m', { stable: 1 }), all.hasLabels('m', {})]).toEqual([true, false]);
    await all.setLabels('m', { next: 2 }, 'me');
    expect(labels()).toEqual({ old: 1, stable: 2, next: 2 });
    await all.setLabels('m', {}, 'me');
    expect([labels(), all.hasLabels('m', {})]).toEqual([{ old: 1, stable: 2 }, true]);
    expect(kept.at(-1)).toEqual(['m', { document: undefined, flags: {}, filters: {} }]);
    expect(changed).toEqual(['m', 'm', 'm']);
  });

  it('gives labels to versions that serve, and to others where that is allowed and the label is new', async () => {
    const { traffic: strict, changed } = traffic();
    const unavailable =
      'FAILED_PRECONDITION: Request to assign label to version 9 of model m, which is not currently available for inference';
    expect(await reason(strict.setLabels('m', { stable: 9 }, 'me'))).toBe(unavailable);
    expect(changed).toEqual([]);
    const { traffic: ahead } = traffic({ labelsAhead: true });
    await ahead.setLabels('m', { stable: 1, next: 9 }, 'me');
    expect(ahead.trafficOf('m', [1, 2]).routes?.labels).toEqual({ stable: 1 });
    expect(ahead.trafficOf('m', [1, 9]).routes?.labels).toEqual({ stable: 1, next: 9 });
    expect(await reason(ahead.setLabels('m', { stable: 9 }, 'me'))).toBe(unavailable);
  });

  it('has no label of a name that is a split, or that cannot be', async () => {
    const { traffic: all, changed } = traffic();
    const halves = { halves: { arms: [{ to: 1, percent: 100 }], key: undefined, salt: 's', flag: undefined } };
    await all.setLabels('m', { halves: 1 }, 'me');
    all.filed('m', modelRoutes({ splits: halves }));
    expect(all.trafficOf('m', [1, 2]).routes?.labels).toEqual({});
    expect(await reason(all.setLabels('m', { halves: 2 }, 'me'))).toMatch(
      /^MALFORMED_REQUEST: label 'halves': a split/,
    );
    expect(await reason(all.setLabels('m', { '': 1 }, 'me'))).toMatch(/^MALFORMED_REQUEST: version_labels/);
    expect(await reason(all.setLabels('m', { a: 0 }, 'me'))).toMatch(/^MALFORMED_REQUEST: version_labels/);
    expect(await reason(all.setLabels('other', { a: 1 }, 'me'))).toMatch(/^MODEL_NOT_FOUND/);
    expect(changed).toEqual(['m']);
  });

  it('is not changed where the change cannot be kept', async () => {
    const { traffic: all, changed } = traffic({ refuse: true });
    expect(await reason(all.set('m', 'default: 2', 'me'))).toMatch(/the disk is full/);
    expect(all.get('m')).toBeUndefined();
    expect(changed).toEqual([]);
  });

  it('is what was kept, from the first publication on', () => {
    const kept = { m: { document: 'flags: { a: false }\ndefault: 1', flags: { a: true }, filters: {} } };
    const { traffic: all } = traffic({ kept, release: { defaultVersion: 2, split: undefined } });
    expect(all.trafficOf('m', [1, 2])).toMatchObject({
      routes: { default: 1, flags: { a: true } },
      release: { defaultVersion: 2 },
    });
    expect(all.list().map(({ model }) => model)).toEqual(['m']);
  });

  it('serves without what was kept and cannot be read, and says so', () => {
    const { traffic: all, log } = traffic({ kept: { m: { document: 'nonsense: 1', flags: {}, filters: {} } } });
    expect(all.trafficOf('m', [1]).routes).toBeUndefined();
    expect(log.lines[0]).toMatchObject({ level: 'error' });
  });

  it('leaves out, and says so, what leads to versions that do not serve', () => {
    const { traffic: all, log } = traffic();
    all.filed('m', modelRoutes({ default: 2, labels: { next: 2 } }));
    expect(all.trafficOf('m', [1]).routes).toMatchObject({ default: undefined, labels: {} });
    expect(log.lines[0]).toMatchObject({ level: 'warn' });
  });
});
