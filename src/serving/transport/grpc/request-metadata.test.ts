import { expect, it } from 'vitest';
import { callerTraits } from './request-metadata.js';

const headers = {
  ':path': '/inference.GRPCInferenceService/ModelInfer',
  'content-type': 'application/grpc',
  te: 'trailers',
  'grpc-timeout': '1S',
  'x-bytes-bin': 'AAAA',
  'user-agent': 'some/1',
  'x-own': 'ann',
};

it('forwards metadata that match, and neither keys of the protocol nor bytes', () => {
  const caller = callerTraits(undefined, /.*/i, { headers, peer: '127.0.0.1:1' });
  expect(caller).toEqual({ headers: {}, client: '', forwarded: expect.anything() });
  expect({ ...caller?.forwarded }).toEqual({ 'user-agent': 'some/1', 'x-own': 'ann' });
});

it('reads nothing where nobody wants anything', () => {
  expect(callerTraits(undefined, undefined, { headers, peer: '127.0.0.1:1' })).toBeUndefined();
});
