import { type AddressInfo, createServer } from 'node:net';
import { ServingError } from '../../core/index.js';

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process has the port',
  EADDRNOTAVAIL: 'the address is not of this machine',
  EACCES: 'the port needs a right that this process does not have',
  ENOTFOUND: 'the host name is not known',
};

/** CONFLICT with what to do about it. `cause` undefined: the library does not say why. */
export function cannotListen(
  what: string,
  host: string,
  port: number,
  cause: NodeJS.ErrnoException | undefined,
): ServingError {
  const why =
    cause === undefined
      ? 'another process has the port, the address is not of this machine, or the port needs a right'
      : (WHY[cause.code ?? ''] ?? cause.message);
  const flag = what.toLowerCase();
  return new ServingError(
    'CONFLICT',
    `${what}: cannot listen on ${host} port ${port}: ${why}; free it or choose another with --${flag}-port and --${flag}-address`,
    cause === undefined ? {} : { cause },
  );
}

/** A port that is this process's until `release`. */
export interface HeldPort {
  readonly port: number;
  release(): Promise<void>;
}

/**
 * Binds a port (0 = any free one) as nobody can beside another, for a moment before several threads share it: sharing would
 * also succeed beside another process that shares. Rejects with CONFLICT.
 */
export function holdPort(what: string, address: string, port: number): Promise<HeldPort> {
  const host = address.replace(/^\[(.*)\]$/, '$1');
  const holder = createServer();
  return new Promise((resolve, reject) => {
    holder.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(what, host, port, cause)));
    holder.listen({ host, port, exclusive: true }, () => {
      const release = () => new Promise<void>((released) => holder.close(() => released()));
      resolve({ port: (holder.address() as AddressInfo).port, release });
    });
  });
}
