import { expect, it } from 'vitest';
import { SilentLog } from '../../test/support/silent-log.js';
import type { ReleaseChange } from '../core/index.js';
import { ServingError } from '../core/index.js';
import { routesKeeping } from './routes-keeping.js';

function keepingOver(rows: Readonly<Record<string, string>>) {
  const log = new SilentLog();
  const commits: ReleaseChange[] = [];
  let fault: Error | undefined;
  const store = {
    routes: () => new Map(Object.entries(rows)),
    commit: (change: ReleaseChange) => {
      if (fault !== undefined) throw fault;
      commits.push(change);
    },
  };
  const fail = (error: Error) => {
    fault = error;
  };
  return { log, commits, fail, keeping: routesKeeping(store, log) };
}

it('gives back what it kept', () => {
  const { commits, keeping } = keepingOver({});
  const routes = { document: 'default: 1\n', flags: { a: true }, filters: { f: false } };
  keeping.keep('m', routes);
  keeping.keep('n', undefined);
  expect(commits[1]).toEqual({ routes: { model: 'n', document: undefined } });
  const text = commits[0]?.routes?.document as string;
  expect(keepingOver({ m: text }).keeping.kept).toEqual(new Map([['m', routes]]));
});

it('keeps flags of a file without a document', () => {
  const { commits, keeping } = keepingOver({});
  keeping.keep('m', { document: undefined, flags: { a: false }, filters: {} });
  const text = commits[0]?.routes?.document as string;
  expect(keepingOver({ m: text }).keeping.kept.get('m')).toEqual({
    document: undefined,
    flags: { a: false },
    filters: {},
  });
});

it.each([
  'nonsense',
  '1',
  'null',
  '{}',
  '{"document":5,"flags":{}}',
  '{"flags":{"a":"on"},"filters":{}}',
  '{"flags":{},"filters":{"f":1}}',
])('reports what it cannot read, leaves it where it is, and has the file count: %s', (text) => {
  const { log, commits, keeping } = keepingOver({
    m: text,
    other: '{"document":"default: 1","flags":{},"filters":{}}',
  });
  expect([...keeping.kept.keys()]).toEqual(['other']);
  expect(log.lines.map(({ level, fields }) => [level, fields.model])).toEqual([['error', 'm']]);
  expect(commits).toEqual([]);
});

it('refuses a change that cannot be kept', () => {
  const { fail, keeping } = keepingOver({});
  fail(new ServingError('INTERNAL', 'full'));
  expect(() => keeping.keep('m', { document: 'default: 1', flags: {}, filters: {} })).toThrow('full');
});
