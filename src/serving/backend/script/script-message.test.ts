import { describe, expect, it } from 'vitest';
import { scriptMessage } from './script-message.js';

describe('the message of a script that failed', () => {
  it.each([
    [
      new Error("ENOENT: no such file or directory, open '/srv/models/a/1/x.json'"),
      "ENOENT: no such file or directory, open '<path>'",
    ],
    [new Error('cannot import file:///srv/models/a/1/model.mjs now'), 'cannot import <path> now'],
    [new Error('first line\n    at secret (/a/b.js:1:2)'), 'first line'],
    [new Error('a ratio of 1/2/3, 5 m/s or and/or'), 'a ratio of 1/2/3, 5 m/s or and/or'],
    ['text', 'text'],
    [{ message: 'an object' }, 'an object'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
    [new Error('x'.repeat(1000)), `${'x'.repeat(500)}...`],
  ])('%s', (thrown, shown) => {
    expect(scriptMessage(thrown)).toBe(shown);
  });

  it('bears whatever a script throws', () => {
    const hostile = {
      get message() {
        throw new Error('no');
      },
    };
    expect(scriptMessage(hostile)).toBe('an unreadable error');
    expect(scriptMessage(Object.create(null))).toBe('an unreadable error');
  });
});
