import { type AddressInfo, createServer, type ListenOptions, type Server } from 'node:net';
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

/** A port that is this process's alone until `share`, and from then on shared by those in it that share it. */
export interface HeldPort {
  readonly port: number;
  /** Gives the port free for those who bind it as shared; other gateways that hold ports are kept off it until `giveUp`. */
  share(): Promise<void>;
  giveUp(): Promise<void>;
}

/** Ports of the system's choice that are tried, where other gateways are about to share those that it gave. */
const TRIES = 5;

/**
 * Binds a port (0 = any free one) as nobody can beside another, before several threads share it: sharing would also succeed
 * beside another process that shares. Rejects with CONFLICT.
 */
export async function holdPort(what: string, address: string, port: number): Promise<HeldPort> {
  const host = address.replace(/^\[(.*)\]$/, '$1');
  for (let attempt = 1; ; attempt++) {
    const holder = await listening({ host, port, exclusive: true }, (cause) => cannotListen(what, host, port, cause));
    const bound = (holder.address() as AddressInfo).port;
    try {
      const claim = await claimOf(host, bound, (cause) => cannotListen(what, host, bound, cause));
      const share = () => closed(holder);
      const giveUp = async () => void (await Promise.all([closed(holder), closed(claim)]));
      return { port: bound, share, giveUp };
    } catch (thrown) {
      await closed(holder);
      if (port !== 0 || attempt === TRIES) throw thrown;
    }
  }
}

/**
 * A name in the kernel that one process can have, gone with it: between `share` and the threads' own binding, and as long as
 * they share it, nothing else would tell a second gateway that shares the same port. Linux alone has such names.
 */
function claimOf(host: string, port: number, failed: Failed): Promise<Server | undefined> {
  if (process.platform !== 'linux') return Promise.resolve(undefined);
  return listening({ path: `\0penstock-port-${port}-${host}`.slice(0, NAME_BYTES) }, failed);
}

/** Of `sun_path`, less its end. */
const NAME_BYTES = 107;

type Failed = (cause: NodeJS.ErrnoException) => ServingError;

function listening(options: ListenOptions, failed: Failed): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(failed(cause)));
    server.listen(options, () => resolve(server.unref()));
  });
}

function closed(server: Server | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (server === undefined) resolve();
    else server.close(() => resolve());
  });
}
