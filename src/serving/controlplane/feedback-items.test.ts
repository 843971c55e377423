import { describe, expect, it } from 'vitest';
import { FakeFeedback } from '../../../test/support/fake-feedback.js';
import { MOST_FEEDBACK_ITEMS, takeFeedback } from './feedback-items.js';

const reason = (expected: string) => expect.objectContaining({ reason: expected });

const RIGHT = { id: 'a', model: 'm', correct: true };

describe('feedback of one call', () => {
  it.each([
    ['an array', JSON.stringify([RIGHT, { id: 'b', model: 'm', label: 'cat' }])],
    ['one item a line', `${JSON.stringify(RIGHT)}\r\n\n${JSON.stringify({ id: 'b', model: 'm', label: 'cat' })}\n`],
  ])('is %s', (_, text) => {
    const intake = new FakeFeedback();
    expect(takeFeedback(text, intake)).toMatchObject({ accepted: 2, refused: 0, errors: [] });
    expect(intake.items).toEqual([
      { model: 'm', requestId: 'a', metric: 'quality', said: { kind: 'correct', correct: true } },
      { model: 'm', requestId: 'b', metric: 'quality', said: { kind: 'label', label: 'cat' } },
    ]);
  });

  it.each([
    ['on one line', JSON.stringify(RIGHT)],
    ['on several lines', JSON.stringify(RIGHT, undefined, 2)],
  ])('may be one item %s', (_, text) => {
    expect(takeFeedback(text, new FakeFeedback())).toMatchObject({ accepted: 1, refused: 0 });
  });

  it('says what became of each kind, and which items were at fault, in their places', () => {
    const items = [RIGHT, { ...RIGHT, id: 'unknown 1' }, { ...RIGHT, correct: 'yes' }, 7, { ...RIGHT, label: 1 }];
    expect(takeFeedback(JSON.stringify(items), new FakeFeedback())).toEqual({
      accepted: 1,
      unknown: 1,
      duplicate: 0,
      late: 0,
      refused: 3,
      errors: [
        { item: 2, error: '"correct" is a string, expected true or false' },
        { item: 3, error: 'an item is a JSON object' },
        { item: 4, error: 'an item has one of "correct", "label" and "value", this 2' },
      ],
    });
  });

  it.each([
    [{ id: 'a', model: 'm' }, 'one of "correct"'],
    [{ ...RIGHT, id: '' }, '"id" is missing'],
    [{ ...RIGHT, model: 5 }, '"model" is missing, or no text'],
    [{ ...RIGHT, id: 'x'.repeat(257) }, 'longer than 256'],
    [{ id: 'a', model: 'm', label: 1.5 }, 'index of a class'],
    [{ id: 'a', model: 'm', value: 1 }, 'needs the "metric"'],
    [{ id: 'a', model: 'm', metric: 'k', value: '1' }, 'not a finite number'],
    [{ ...RIGHT, modle: 'm' }, "did you mean 'model'?"],
  ])('refuses %j', (item, why) => {
    const report = takeFeedback(JSON.stringify([item]), new FakeFeedback());
    expect(report).toMatchObject({ refused: 1, errors: [{ item: 0, error: expect.stringContaining(why) }] });
  });

  it('refuses a line that is not JSON by itself', () => {
    const report = takeFeedback(`${JSON.stringify(RIGHT)}\n{"id":\n`, new FakeFeedback());
    expect(report).toMatchObject({ accepted: 1, refused: 1, errors: [{ item: 1, error: 'not JSON: "{\\"id\\":"' }] });
  });

  it.each(['', '   ', 'true', 'id,model\na,m', '[{]'])('is refused as a whole where it is %j', (text) => {
    expect(() => takeFeedback(text, new FakeFeedback())).toThrow(reason('MALFORMED_REQUEST'));
  });

  it('is bounded', () => {
    const intake = new FakeFeedback();
    expect(() => takeFeedback('{}\n'.repeat(MOST_FEEDBACK_ITEMS + 1), intake)).toThrow(reason('BODY_TOO_LARGE'));
    expect(() => takeFeedback(' '.repeat(3_000_000), intake)).toThrow(reason('BODY_TOO_LARGE'));
    expect(takeFeedback('{}\n'.repeat(MOST_FEEDBACK_ITEMS), intake).errors).toHaveLength(100);
  });
});
