import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INFERENCE, inferMessage, methodOf } from '../../../../test/support/grpc-server.js';
import { requestIdOf } from './request-id.js';

const { requestSerialize } = methodOf(INFERENCE, 'ModelInfer');

describe('the id of a request that cannot be decoded', () => {
  it('is read whatever stands around it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), fc.uint8Array(), (id, name, data) => {
        const bytes = requestSerialize(inferMessage({ id, model_name: name, raw_input_contents: [Buffer.from(data)] }));
        expect(requestIdOf(bytes)).toBe(id);
      }),
    );
  });

  it('is empty or a text for any bytes, and reading it ends', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(typeof requestIdOf(bytes)).toBe('string');
      }),
    );
  });
});
