import { describe, expect, it } from 'vitest';
import { CallGate } from './call-gate.js';

function call(log: string[], name: string) {
  return { begin: () => void log.push(name) };
}

describe('the call gate', () => {
  it('begins so many calls at once, the others in order as those return', () => {
    const log: string[] = [];
    const gate = new CallGate(2, 10);
    for (const name of ['a', 'b', 'c', 'd']) gate.enter(call(log, name));
    expect(log).toEqual(['a', 'b']);
    gate.done();
    expect(log).toEqual(['a', 'b', 'c']);
    gate.done();
    gate.done();
    gate.done();
    expect(log).toEqual(['a', 'b', 'c', 'd']);
    expect([gate.inFlight, gate.waiting]).toEqual([0, 0]);
  });

  it('takes a waiting call back, and no other', () => {
    const log: string[] = [];
    const gate = new CallGate(1, 10);
    const calls = ['a', 'b', 'c'].map((name) => call(log, name));
    for (const each of calls) gate.enter(each);
    expect(gate.withdraw(calls[0] as (typeof calls)[0])).toBe(false);
    expect(gate.withdraw(calls[1] as (typeof calls)[0])).toBe(true);
    gate.done();
    gate.done();
    expect(log).toEqual(['a', 'c']);
  });

  it('refuses past its bound', () => {
    const gate = new CallGate(1, 1);
    gate.enter(call([], 'a'));
    gate.enter(call([], 'b'));
    expect(() => gate.enter(call([], 'c'))).toThrow(expect.objectContaining({ reason: 'OVERLOADED' }));
  });

  it('lets work be alone: after what is in flight, before what came later', async () => {
    const log: string[] = [];
    const gate = new CallGate(2, 10);
    gate.enter(call(log, 'a'));
    let end: () => void = () => {};
    const alone = gate.alone(() => {
      log.push('alone');
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    }, 1000);
    gate.enter(call(log, 'b'));
    expect(log).toEqual(['a']);
    gate.done();
    await Promise.resolve();
    expect([log, gate.inFlight, gate.waiting]).toEqual([['a', 'alone'], 0, 1]);
    end();
    await alone;
    expect(log).toEqual(['a', 'alone', 'b']);
  });

  it('lets work pass as one call', async () => {
    const gate = new CallGate(1, 10);
    const log: string[] = [];
    gate.enter(call(log, 'a'));
    const passed = gate.pass(async () => log.push('passed'));
    const failed = gate.pass(() => Promise.reject(new Error('broke')));
    expect(log).toEqual(['a']);
    gate.done();
    await passed;
    await expect(failed).rejects.toThrow('broke');
    expect([log, gate.inFlight]).toEqual([['a', 'passed'], 0]);
  });

  it('lets the others go on where a call in flight does not end, and work that failed', async () => {
    const log: string[] = [];
    const gate = new CallGate(2, 10);
    gate.enter(call(log, 'stuck'));
    const alone = gate.alone(async () => log.push('alone'), 1);
    gate.enter(call(log, 'b'));
    await expect(alone).rejects.toMatchObject({ reason: 'OVERLOADED' });
    expect(log).toEqual(['stuck', 'b']);
    gate.done();
    gate.done();
    await expect(gate.alone(() => Promise.reject(new Error('broke')), 1000)).rejects.toThrow('broke');
    gate.enter(call(log, 'c'));
    expect(log).toEqual(['stuck', 'b', 'c']);
  });
});
