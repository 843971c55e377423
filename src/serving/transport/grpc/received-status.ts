import { status as codes, type ServerInterceptor } from '@grpc/grpc-js';
import { ServingError } from '../../../core/index.js';
import { statusOf } from './grpc-status.js';

/**
 * grpc-js ends a call by itself where its message cannot be inflated or its time-out cannot be read, and calls both
 * INTERNAL; they are the caller's mistakes. It does so past all interceptors, hence the method is replaced.
 */
export const honestReceiveStatus: ServerInterceptor = (_method, call) => {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (status) =>
    send(status.code === codes.INTERNAL ? (callersMistake(status.details) ?? status) : status);
  return call as ReturnType<ServerInterceptor>;
};

function callersMistake(details: string | undefined): ReturnType<typeof statusOf> | undefined {
  const theirs = details === 'Failed to decompress message' || details?.startsWith('Invalid grpc-timeout value');
  if (!theirs) return undefined;
  return statusOf(new ServingError('MALFORMED_REQUEST', `the call cannot be received: ${details}`));
}
