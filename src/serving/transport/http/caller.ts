import type { Caller } from '../../controlplane/index.js';
import { bearerToken } from './request-headers.js';

/**
 * Who calls: `loopback` only where the peer's address is of this machine (127.0.0.0/8, ::1) and the request is not
 * relayed. A web page in a local browser, or a proxy on this machine, speaks for somebody else.
 */
export function callerOf(remoteAddress: ArrayBuffer, authorization: string, relayed: boolean): Caller {
  const address = new Uint8Array(remoteAddress);
  return {
    loopback: !relayed && isLoopback(address),
    from: addressText(address),
    token: authorization === '' ? undefined : bearerToken(authorization),
  };
}

/** Of an address in binary form: 4 bytes (IPv4) or 16 (IPv6, an IPv4 address mapped into it included). */
export function isLoopback(address: Uint8Array): boolean {
  if (address.byteLength === 4) return address[0] === 127;
  if (address.byteLength !== 16) return false;
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false;
  if (address[10] === 0xff && address[11] === 0xff) return address[12] === 127;
  for (let i = 10; i < 15; i++) if (address[i] !== 0) return false;
  return address[15] === 1;
}

/** `10.0.0.7`, `fd00:0:0:0:0:0:0:1`; empty where there is none (the connection has gone). */
export function addressText(address: Uint8Array): string {
  if (address.byteLength === 4) return address.join('.');
  if (address.byteLength !== 16) return '';
  const view = new DataView(address.buffer, address.byteOffset, 16);
  const groups = Array.from({ length: 8 }, (_, group) => view.getUint16(2 * group));
  const mapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  return mapped ? address.subarray(12).join('.') : groups.map((group) => group.toString(16)).join(':');
}
