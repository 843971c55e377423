import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { authorityOf, KeptAudit } from '../../../test/support/kept-audit.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { SCOPES, ServingError } from '../../core/index.js';
import { type Caller, type ControlCall, RIGHTS } from './index.js';

const TOKENS = {
  f: { name: 'labels', scopes: ['feedback'] },
  r: { name: 'ci', scopes: ['rollout'] },
  a: { name: 'ops', scopes: ['admin'] },
  fr: { name: 'both', scopes: ['feedback', 'rollout'] },
} as const;

function setUp() {
  const audit = new KeptAudit();
  const clock = new FakeClock();
  const log = new SilentLog();
  return { audit, clock, log, authority: authorityOf(TOKENS, { audit, clock, log }) };
}

const caller = (token: string | undefined, loopback = false): Caller => ({ token, loopback, from: '10.1.2.3' });
const reason = (expected: string) => expect.objectContaining({ reason: expected });
const CALLS = Object.keys(RIGHTS) as ControlCall[];
const FREE_HERE = [
  'repositoryLoad',
  'repositoryUnload',
  'adoptModel',
  'setVersionLabels',
  'setLogSettings',
  'setTraceSettings',
  'sharedMemoryRegister',
  'sharedMemoryUnregister',
];

describe('the table of rights', () => {
  it.each(CALLS)('lets who has the right make the call %s, and nobody else', (call) => {
    const { authority } = setUp();
    const right = RIGHTS[call];
    for (const loopback of [true, false]) {
      for (const [token, { name, scopes }] of Object.entries(TOKENS)) {
        const may =
          right === 'open' || (scopes as readonly string[]).some((scope) => scope === right || scope === 'admin');
        const ask = () => authority.check(call, caller(token, loopback));
        if (!may) expect(ask).toThrow(reason('FORBIDDEN'));
        else expect(ask()).toBe(right === 'open' ? 'nobody' : name);
      }
      const without = () => authority.check(call, caller(undefined, loopback));
      if (right === 'open' || (loopback && FREE_HERE.includes(call))) expect(without).not.toThrow();
      else expect(without).toThrow(reason('UNAUTHENTICATED'));
      if (right !== 'open')
        for (const wrong of ['', 'x', '__proto__'])
          expect(() => authority.check(call, caller(wrong, loopback))).toThrow(reason('FORBIDDEN'));
    }
  });

  it('names the scope that is missing, and none of the tokens', () => {
    const { authority } = setUp();
    expect(() => authority.check('auditList', caller('r'))).toThrow(
      /'ci' has the scope rollout; this call needs admin/,
    );
    expect(() => authority.check('auditList', caller('guess'))).toThrow(expect.not.stringContaining('guess'));
    expect(SCOPES).toEqual(['feedback', 'rollout', 'cost', 'admin']);
  });
});

describe('what is written down', () => {
  it('is who changed what, before it is done and what became of it', async () => {
    const { authority, audit, log } = setUp();
    let during: unknown;
    const answer = await authority.change('repositoryLoad', 'm', caller('a'), (who) => {
      during = audit.entries()[0]?.outcome;
      return who;
    });
    expect([answer, during]).toEqual(['ops', 'begun']);
    const failure = new ServingError('MODEL_NOT_FOUND', 'no model');
    await expect(
      authority.change('repositoryUnload', 'n', caller(undefined, true), () => Promise.reject(failure)),
    ).rejects.toBe(failure);
    const facts = audit.entries().map(({ who, from, call, target, outcome }) => [who, from, call, target, outcome]);
    expect(facts).toEqual([
      ['this machine', '10.1.2.3', 'repositoryUnload', 'n', 'MODEL_NOT_FOUND'],
      ['ops', '10.1.2.3', 'repositoryLoad', 'm', 'done'],
    ]);
    expect(log.lines.map(({ level, fields }) => [level, fields.who, fields.outcome])).toEqual([
      ['info', 'ops', 'done'],
      ['info', 'this machine', 'MODEL_NOT_FOUND'],
    ]);
  });

  it('is who was refused, by name where the token is known, and nothing is done', async () => {
    const { authority, audit } = setUp();
    let done = 0;
    for (const token of [undefined, 'guess', 'f'])
      await expect(authority.change('repositoryLoad', 'm', caller(token), () => done++)).rejects.toThrow(ServingError);
    expect(done).toBe(0);
    expect(audit.entries().map(({ who, outcome }) => [who, outcome])).toEqual([
      ['labels', 'FORBIDDEN'],
      ['unknown token', 'FORBIDDEN'],
      ['nobody', 'UNAUTHENTICATED'],
    ]);
  });

  it('is bounded for refusals: twenty at once, then one a second, the others as a number', () => {
    const { authority, audit, clock, log } = setUp();
    const refuse = () => expect(() => authority.check('auditList', caller('guess'))).toThrow(reason('FORBIDDEN'));
    for (let i = 0; i < 500; i++) refuse();
    expect([audit.entries().length, log.lines.length]).toEqual([20, 20]);
    clock.advance(1e9);
    refuse();
    refuse();
    expect(audit.entries(undefined, 1000)).toHaveLength(21);
    expect(audit.entries()[0]?.omitted).toBe(480);
    clock.advance(3600e9);
    for (let i = 0; i < 100; i++) refuse();
    expect(audit.entries(undefined, 1000)).toHaveLength(41);
  });

  it('is cut to a length that fills no disk', () => {
    const { authority, audit } = setUp();
    expect(() => authority.check('auditList', caller('guess'), 'x'.repeat(1e6))).toThrow();
    expect(audit.entries()[0]?.target.length).toBeLessThan(300);
  });
});

describe('an audit that cannot be written', () => {
  it('keeps changes of what is served to whom from being made, but not models from being loaded', async () => {
    const { authority, audit, log } = setUp();
    audit.fault = new ServingError('INTERNAL', 'the state could not be written');
    let done = 0;
    await expect(authority.change('tokenList', '', caller('a'), () => done++)).rejects.toThrow(reason('INTERNAL'));
    expect(done).toBe(0);
    await authority.change('repositoryLoad', 'm', caller('a'), () => done++);
    expect(done).toBe(1);
    expect(log.lines.some(({ level }) => level === 'error')).toBe(true);
    expect(() => authority.check('auditList', caller('guess'))).toThrow(reason('FORBIDDEN'));
  });

  it('does not make a change that was made look refused', async () => {
    const { authority, audit } = setUp();
    const answer = await authority.change('tokenList', '', caller('a'), () => {
      audit.fault = new Error('disk');
      return 'made';
    });
    expect(answer).toBe('made');
    audit.fault = undefined;
    expect(audit.entries()[0]?.outcome).toBe('begun');
  });
});
