import { Metadata, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { ERRORS, GRPC_CODE_NUMBERS, REASONS } from '../../core/index.js';
import { failureOfCall } from './grpc-failure.js';

const failed = (code: number, trailers: Record<string, string> = {}) => {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  return failureOfCall(Object.assign(new Error('no'), { code, details: 'no', metadata }) as ServiceError);
};

describe('failures of gRPC calls', () => {
  it.each(REASONS)('%s has an HTTP status that the server has for its gRPC code', (reason) => {
    const { grpc } = ERRORS[reason];
    const { status, reason: told } = failed(GRPC_CODE_NUMBERS[grpc], { 'x-penstock-reason': reason });
    expect(told).toBe(reason);
    expect(REASONS.filter((other) => ERRORS[other].grpc === grpc).map((other) => ERRORS[other].http)).toContain(status);
  });

  it('say when to try again', () => {
    const trailers = { 'x-penstock-reason': 'QUEUE_FULL', 'grpc-retry-pushback-ms': '1500' };
    expect(failed(14, trailers)).toMatchObject({ status: 503, retryAfterMs: 1500 });
    expect(failed(14, { 'x-penstock-reason': 'DRAINING' }).retryAfterMs).toBeUndefined();
  });

  it('without a reason of the server are failures on the way', () => {
    expect(failed(14)).toMatchObject({ status: 0, reason: 'UNREACHABLE' });
    expect(failed(4)).toMatchObject({ status: 0, reason: 'TIMEOUT' });
    expect(failed(99)).toMatchObject({ status: 500, reason: '' });
  });
});
