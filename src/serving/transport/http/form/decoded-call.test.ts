import { describe, expect, it } from 'vitest';
import { FakeInference } from '../../../../../test/support/fake-inference.js';
import { keptReplies } from '../../../../../test/support/kept-replies.js';
import { fp32, request } from '../../../../../test/support/specs.js';
import { ServingError } from '../../../../core/index.js';
import { oneRequest, severalRequests } from './decoded-call.js';

const asked = (count: number) =>
  Array.from({ length: count }, (_, index) => request({ id: `${index}`, inputs: [fp32('x', [1], [index])] }));
const ids = { contentType: 'text/plain' };

describe('calls of a form', () => {
  it('answer one request, encoded only where somebody waits', () => {
    const path = new FakeInference();
    const kept = keptReplies();
    const call = oneRequest(request({ id: 'a' }), ({ id }) => ({ ...ids, body: id }));
    call.begin((...args) => path.infer(...args), kept.reply);
    expect(kept.answers).toMatchObject([{ body: 'a', contentType: 'text/plain', response: { id: 'a' } }]);
    const gone = keptReplies(false);
    call.begin((...args) => path.infer(...args), gone.reply);
    expect(gone.answers).toMatchObject([{ body: undefined, response: { id: 'a' } }]);
  });

  it('fail by what encoding throws', () => {
    const kept = keptReplies();
    const call = oneRequest(request(), () => {
      throw new ServingError('UNSUPPORTED', 'not so');
    });
    call.begin((...args) => new FakeInference().infer(...args), kept.reply);
    expect(kept.failures).toMatchObject([{ reason: 'UNSUPPORTED' }]);
  });

  it('answer several requests in their order, whichever ends first, with outputs of their own', () => {
    const path = new FakeInference();
    path.hold = true;
    const kept = keptReplies();
    const call = severalRequests(asked(3), (all) => ({
      ...ids,
      body: all.map(({ id, outputs }) => `${id}=${outputs[0]!.data}`).join(' '),
    }));
    call.begin((...args) => path.infer(...args), kept.reply);
    const shared = fp32('y', [1], [0]);
    for (const held of [...path.held].reverse()) {
      shared.data.fill(Number(held.request.id));
      held.answer([shared]);
    }
    expect(kept.answers.map(({ body }) => body)).toEqual(['0=0,0,0,0 1=1,1,1,1 2=2,2,2,2']);
  });

  it('fail once by the first failure, when the others have settled too', () => {
    const path = new FakeInference();
    path.hold = true;
    const kept = keptReplies();
    severalRequests(asked(3), () => ({ ...ids, body: '' })).begin((...args) => path.infer(...args), kept.reply);
    const [first, second] = [...path.held];
    first!.answer();
    second!.fail(new ServingError('QUEUE_FULL', 'full'));
    expect(path.cancelled).toBe(1);
    expect(kept.failures).toMatchObject([{ reason: 'QUEUE_FULL' }]);
    expect(kept.answers).toEqual([]);
  });

  it('send no more where one is refused at once', () => {
    const path = new FakeInference();
    path.failure = new ServingError('MODEL_NOT_FOUND', 'none');
    const kept = keptReplies();
    severalRequests(asked(3), () => ({ ...ids, body: '' })).begin((...args) => path.infer(...args), kept.reply);
    expect(path.requests).toHaveLength(1);
    expect(kept.failures).toMatchObject([{ reason: 'MODEL_NOT_FOUND' }]);
  });

  it('cancel all of theirs', () => {
    const path = new FakeInference();
    path.hold = true;
    const kept = keptReplies();
    const call = severalRequests(asked(2), () => ({ ...ids, body: '' }));
    call.begin((...args) => path.infer(...args), kept.reply).cancel();
    expect(path.cancelled).toBe(2);
    expect(kept.failures).toMatchObject([{ reason: 'CLIENT_CANCELLED' }]);
  });

  it('refuse to ask for nothing', () => {
    const kept = keptReplies();
    severalRequests([], () => ({ ...ids, body: '' })).begin(() => ({ cancel: () => {} }), kept.reply);
    expect(kept.failures).toMatchObject([{ reason: 'MALFORMED_REQUEST' }]);
  });
});
