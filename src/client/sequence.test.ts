import { describe, expect, it } from 'vitest';
import type { InferAnswer, InferOptions } from './protocol.js';
import { Sequence } from './sequence.js';

/** A sequence over a model whose requests are settled by hand. */
function sequenceOf(keepsOrder: boolean, id?: number | string) {
  const sent: { options: InferOptions; answer: () => void; fail: (error: Error) => void }[] = [];
  const infer = (_inputs: object, options: InferOptions) =>
    new Promise<InferAnswer>((resolve, reject) => {
      const answer = () => resolve({ model: 'm', version: '1', id: '', parameters: {}, outputs: {} });
      sent.push({ options, answer, fail: reject });
    });
  const sequence = new Sequence(infer, keepsOrder, { version: 3, ...(id === undefined ? {} : { id }) });
  return { sequence, sent };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));
const marks = ({ options }: { options: InferOptions }) => [
  options.parameters?.sequence_start,
  options.parameters?.sequence_end,
];

describe('a sequence', () => {
  it('marks its start and its end, and says its id and version', async () => {
    const { sequence, sent } = sequenceOf(true, 'eins');
    const answers = [{}, { parameters: { of: 'mine' } }, { end: true }].map((step) => sequence.infer({}, step));
    expect(sent.map(marks)).toEqual([
      [true, false],
      [false, false],
      [false, true],
    ]);
    expect(sent[1]?.options).toMatchObject({ version: 3, parameters: { sequence_id: 'eins', of: 'mine' } });
    for (const { answer } of sent) answer();
    await Promise.all(answers);
    await expect(sequence.infer({})).rejects.toMatchObject({ reason: 'BAD_REQUEST' });
  });

  it('waits for each answer where the wire does not keep an order', async () => {
    const { sequence, sent } = sequenceOf(false);
    const answers = [sequence.infer({}), sequence.infer({}), sequence.infer({}, { end: true })];
    for (let count = 1; count <= 3; count++) {
      await turn();
      expect(sent.length).toBe(count);
      sent.at(-1)?.answer();
    }
    await Promise.all(answers);
    const id = sent[0]?.options.parameters?.sequence_id as number;
    expect(Number.isSafeInteger(id) && id > 0).toBe(true);
  });

  it('starts again with what follows a start that failed, and may be ended again', async () => {
    const { sequence, sent } = sequenceOf(false);
    const first = sequence.infer({});
    const second = sequence.infer({});
    await turn();
    sent[0]?.fail(new Error('full'));
    await expect(first).rejects.toThrow('full');
    await turn();
    sent[1]?.answer();
    await second;
    const end = sequence.infer({}, { end: true });
    await turn();
    sent[2]?.fail(new Error('late'));
    await expect(end).rejects.toThrow('late');
    const again = sequence.infer({}, { end: true });
    await turn();
    sent[3]?.answer();
    await again;
    expect(sent.map(marks)).toEqual([
      [true, false],
      [true, false],
      [false, true],
      [false, true],
    ]);
  });

  it('keeps a bounded number waiting', async () => {
    const { sequence, sent } = sequenceOf(false);
    const first = sequence.infer({});
    await turn();
    for (let i = 0; i < 1024; i++) sequence.infer({}).catch(() => {});
    await expect(sequence.infer({})).rejects.toMatchObject({ reason: 'TOO_MANY_WAITING' });
    sent[0]?.answer();
    await first;
  });
});
