import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeInference } from '../../../../test/support/fake-inference.js';
import { keptReplies } from '../../../../test/support/kept-replies.js';
import { fp32, request } from '../../../../test/support/specs.js';
import {
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  ServingError,
} from '../../../core/index.js';
import { type TextsCall, textsCall } from './texts-call.js';

function callOf(count: number, mostInFlight: number, changes: Partial<TextsCall<string>> = {}): TextsCall<string> {
  return {
    count,
    mostInFlight,
    request: (index, version) => request({ id: `${index}`, version, inputs: [fp32('x', [1], [index])] }),
    take: ({ id }) => id,
    encode: (ids) => ids.join(' '),
    ...changes,
  };
}

function started(call: TextsCall<string>, wanted = true) {
  const path = new FakeInference();
  path.hold = true;
  const told = keptReplies(wanted);
  const handle = textsCall(call).begin((...args) => path.infer(...args), told.reply);
  return { path, handle, ...told };
}

describe('a call of several texts', () => {
  it('has a bounded number of requests in flight, and answers all in their order, whichever ends first', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
        (count, most, picks) => {
          const { path, answers } = started(callOf(count, most));
          for (let i = 0; i < count; i++) {
            expect(path.held.length).toBe(Math.min(most, count - i));
            path.held[(picks[i] as number) % path.held.length]!.answer();
          }
          expect(answers.map(({ body }) => body)).toEqual([Array.from({ length: count }, (_, i) => i).join(' ')]);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('is answered too where each request is answered while it is handed in', () => {
    const path = new FakeInference();
    const { reply, answers } = keptReplies();
    textsCall(callOf(1000, 3)).begin((...args) => path.infer(...args), reply);
    expect(answers[0]!.body).toMatch(/^0 1 2 .* 999$/);
  });

  it('fails by the first that fails: the others are cancelled, and no more asked', () => {
    const { path, answers, failures } = started(callOf(10, 4));
    path.held[1]!.fail(new ServingError('BACKEND_FAILED', 'it broke'));
    expect([path.cancelled, path.requests.length, answers.length]).toEqual([3, 4, 0]);
    expect(failures).toMatchObject([{ reason: 'BACKEND_FAILED' }]);
  });

  it('fails by what taking, encoding or making a request throws, once', () => {
    const thrower = () => {
      throw new ServingError('UNSUPPORTED', 'not so');
    };
    for (const changes of [{ take: thrower }, { encode: thrower }, { request: thrower }]) {
      const { path, answers, failures } = started(callOf(3, 2, changes));
      while (path.held.length > 0) path.held[0]!.answer();
      expect([answers.length, failures.map(({ reason }) => reason)]).toEqual([0, ['UNSUPPORTED']]);
    }
  });

  it('that nobody waits for any more is cancelled, what waits of it too', () => {
    const { path, handle, failures } = started(callOf(10, 4));
    handle.cancel();
    expect([path.cancelled, path.requests.length]).toEqual([4, 4]);
    expect(failures).toMatchObject([{ reason: 'CLIENT_CANCELLED' }]);
    const unwanted = started(callOf(2, 2, { encode: () => expect.fail('encoded') }), false);
    for (const held of [...unwanted.path.held]) held.answer();
    expect(unwanted.answers).toMatchObject([{ body: undefined }]);
  });

  it('asks the version of the first for texts that came to another one', () => {
    const asked: InferenceRequest[] = [];
    const answer = (one: InferenceRequest, reply: InferenceReply) => {
      asked.push(one);
      const path = new FakeInference();
      const version = one.version ?? (Number(one.id) % 3 === 1 ? 2 : 1);
      return path.infer(one, {
        ...reply,
        done: (response: InferenceResponse) => reply.done({ ...response, version: { model: 'm', version } }),
        failed: reply.failed,
      });
    };
    const { reply, answers } = keptReplies();
    const take = ({ id, version }: InferenceResponse) => `${id}@${version.version}`;
    textsCall(callOf(6, 2, { take })).begin(answer, reply);
    expect(answers.map(({ body }) => body)).toEqual(['0@1 1@1 2@1 3@1 4@1 5@1']);
    expect(asked.slice(6).map(({ id, version }) => [id, version])).toEqual([
      ['1', 1],
      ['4', 1],
    ]);
  });
});
