import type { IncomingHttpHeaders } from 'node:http2';
import { isIP } from 'node:net';
import type { Caller } from '../../controlplane/index.js';

/** What is known of a call before its message: every kind of call has it. */
export interface CallFacts {
  readonly headers: IncomingHttpHeaders;
  /** `address:port`, an IPv6 address without brackets; `unknown` where it is gone. */
  readonly peer: string;
}

/** Metadata that a proxy adds: a call that carries any of it speaks for somebody else than the connection's peer. */
const RELAYED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;

/**
 * Who calls: `loopback` only where the peer's address is of this machine and no proxy passed the call on; the token of
 * `authorization: Bearer ...`, or the whole value where it names another scheme, so that a wrong one is refused.
 */
export function grpcCaller(call: CallFacts): Caller {
  const relayed = RELAYED.some((name) => call.headers[name] !== undefined);
  const { authorization } = call.headers;
  return {
    loopback: !relayed && isLoopbackPeer(call.peer),
    from: addressOf(call.peer),
    token: authorization?.replace(/^bearer +/i, ''),
  };
}

/** Whether a peer, as `CallFacts` has it, is of this machine. */
export function isLoopbackPeer(peer: string): boolean {
  const address = addressOf(peer);
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** A peer less its port; empty where it is gone. */
function addressOf(peer: string): string {
  return peer.slice(0, Math.max(0, peer.lastIndexOf(':'))).replace(/^::ffff:(?=\d+\.)/i, '');
}
