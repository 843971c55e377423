import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorFacts, GRPC_CODE_NUMBERS, REASONS, ServingError, toServingError } from './index.js';

const SRC = resolve(import.meta.dirname, '..');

describe('a ServingError', () => {
  it('tells where it was made only where that is a mistake of ours', () => {
    expect(new ServingError('OVERLOADED', 'no room').stack).not.toContain('\n');
    expect(new ServingError('INTERNAL', 'a bug').stack).toContain('errors.test.ts');
    expect(new Error('another').stack).toContain('errors.test.ts');
  });
});

describe('the table of errors', () => {
  it.each(REASONS)('%s has an HTTP status of an error and a known gRPC code', (reason) => {
    const facts: ErrorFacts = ERRORS[reason];
    expect(facts.http).toBeGreaterThanOrEqual(400);
    expect(facts.http).toBeLessThan(600);
    expect(GRPC_CODE_NUMBERS[facts.grpc]).toBeGreaterThan(0);
  });

  it('is the only place where an error status is written', () => {
    // The client for programs imports nothing of the server: its own test holds it against the table.
    const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
      (file) =>
        /\.ts$/.test(file) &&
        !/\.test\.ts$/.test(file) &&
        file !== join('core', 'errors.ts') &&
        !file.startsWith('client/'),
    );
    expect(sources.length).toBeGreaterThan(100);
    const numbers = [...new Set(REASONS.map((reason) => ERRORS[reason].http))].join('|');
    const status = new RegExp(`(status(Code)?\\s*[:=(]+\\s*['"\`]?(${numbers})\\b)|(\\bstatus\\.[A-Z_]{6,}\\b)`);
    const written = sources.filter((file) => status.test(readFileSync(join(SRC, file), 'utf8')));
    expect(written).toEqual([]);
  });

  it('gives retry advice where, and only where, a later try may help', () => {
    expect(new ServingError('QUEUE_FULL', 'm').retryAfterMs).toBe(1000);
    expect(new ServingError('QUEUE_FULL', 'm', { retryAfterMs: 5 }).retryAfterMs).toBe(5);
    expect(new ServingError('SHAPE_MISMATCH', 'm', { retryAfterMs: 5 }).retryAfterMs).toBeUndefined();
  });
});

describe('anything thrown', () => {
  it('passes as it is where it is a serving error', () => {
    const error = new ServingError('CONFLICT', 'm');
    expect(toServingError(error)).toBe(error);
  });

  it.each([new Error('secret path /etc/x'), 'text', undefined, null, { a: 1 }])(
    'tells the caller nothing of %s',
    (thrown) => {
      const error = toServingError(thrown);
      expect(error.reason).toBe('INTERNAL');
      expect(error.message).toBe('internal error; the log of the server has the cause');
      expect(error.cause).toBe(thrown === undefined ? undefined : thrown);
    },
  );
});
