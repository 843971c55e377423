import { isIP } from 'node:net';
import type { Metadata } from '@grpc/grpc-js';
import type { Caller } from '../../controlplane/index.js';

/** What grpc-js knows of a call before its message: every kind of call has it. */
export interface CallFacts {
  readonly metadata: Metadata;
  getPeer(): string;
}

/** Metadata that a proxy adds: a call that carries any of it speaks for somebody else than the connection's peer. */
const RELAYED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;

/**
 * Who calls: `loopback` only where the peer's address is of this machine and no proxy passed the call on; the token of
 * `authorization: Bearer ...`, or the whole value where it names another scheme, so that a wrong one is refused.
 */
export function grpcCaller(call: CallFacts): Caller {
  const relayed = RELAYED.some((name) => call.metadata.get(name).length > 0);
  const authorization = call.metadata.get('authorization')[0];
  return {
    loopback: !relayed && isLoopbackPeer(call.getPeer()),
    token: authorization === undefined ? undefined : String(authorization).replace(/^bearer +/i, ''),
  };
}

/** Of a peer as grpc-js prints it: `address:port`, where an IPv6 address has no brackets; `unknown` where it is gone. */
export function isLoopbackPeer(peer: string): boolean {
  const address = peer.slice(0, peer.lastIndexOf(':')).replace(/^::ffff:(?=\d+\.)/i, '');
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
