import { describe, expect, it } from 'vitest';
import { ForwardedHeaders, forwardPattern, withForwarded } from './index.js';

const found = (pattern: string, headers: readonly (readonly [string, string])[]) => {
  const forwarded = new ForwardedHeaders(forwardPattern(pattern));
  for (const [name, value] of headers) forwarded.add(name, value);
  return forwarded.found;
};

describe('a pattern of forwarded headers', () => {
  it('is found anywhere in a name, in any case', () => {
    const headers = [
      ['x-own-user', 'ann'],
      ['own', 'b'],
      ['host', 'c'],
    ] as const;
    expect({ ...found('OWN', headers) }).toEqual({ 'x-own-user': 'ann', own: 'b' });
    expect({ ...found('(?i)^own$', headers) }).toEqual({ own: 'b' });
    expect(found('^x-other', headers)).toBeUndefined();
  });

  it('joins the values of a name that comes twice', () => {
    expect({
      ...found('a', [
        ['a', '1'],
        ['a', '2'],
      ]),
    }).toEqual({ a: '1, 2' });
  });

  it.each(['sequence_id', 'sequence_start', 'sequence_end', 'priority', 'timeout', 'headers', 'triton_x'])(
    'refuses the reserved name %s, where it matches',
    (name) => {
      expect(() => found('.*', [[name, '1']])).toThrowError(`header '${name}' is reserved`);
      expect(found('^other$', [[name, '1']])).toBeUndefined();
    },
  );

  it.each(['(', '[', '(?-i)PREFIX_.*', '(?P<name>x)', '[[:alpha:]]', '\\Aprefix', '\\pN', 'a(?i:b)'])(
    'is refused where RE2 and JavaScript differ or it is none: %s',
    (pattern) => {
      expect(() => forwardPattern(pattern)).toThrowError();
    },
  );

  it.each(['PREFIX_.*', '^(?:x-|y-)', '[a-z]+\\d{2}$', 'x\\-y'])('takes %s', (pattern) => {
    expect(forwardPattern(pattern)).toBeInstanceOf(RegExp);
  });
});

it('a forwarded header takes the place of a parameter of its name, and a name like __proto__ is one like any other', () => {
  const caller = {
    headers: {},
    client: '',
    forwarded: found('.*', [
      ['__proto__', 'x'],
      ['a', '1'],
    ]),
  };
  const parameters = withForwarded({ a: 2, b: true }, caller);
  expect(Object.entries(parameters)).toEqual([
    ['a', '1'],
    ['b', true],
    ['__proto__', 'x'],
  ]);
  expect(withForwarded(parameters, { headers: {}, client: '' })).toBe(parameters);
});
