import { lookup } from 'node:dns/promises';
import { createRequire } from 'node:module';
import type { ListenOptions } from 'node:net';

export interface PortPlace {
  /** IPv4, IPv6 or host name. */
  readonly host: string;
  readonly port: number;
}

/** `reusePort` came with Node 22.12 and 23.1. */
const [MAJOR, MINOR] = process.versions.node.split('.').map(Number) as [number, number];
const HAS_REUSE_PORT = MAJOR >= 24 || (MAJOR === 23 && MINOR >= 1) || (MAJOR === 22 && MINOR >= 12);

/**
 * How a server of node:net listens on a port beside those of other threads (Linux): each takes its part of the connections.
 * Older Nodes have no option for it and are given a socket made here. Rejects with the system's error where it cannot be bound.
 */
export async function sharedListening(place: PortPlace): Promise<ListenOptions & { readonly reusePort?: boolean }> {
  if (HAS_REUSE_PORT) return { ...place, exclusive: true, reusePort: true };
  return { fd: await boundSocket(place) } as ListenOptions;
}

/** Numbers of Linux (asm-generic), the same on x64 and arm64. */
const AF_INET = 2;
const AF_INET6 = 10;
const STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const ON = new Int32Array([1]);

interface SocketCalls {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly setsockopt: (fd: number, level: number, name: number, value: Int32Array, bytes: number) => number;
  readonly bind: (fd: number, address: Uint8Array, bytes: number) => number;
  readonly close: (fd: number) => number;
  readonly errno: () => number;
}

async function boundSocket({ host, port }: PortPlace): Promise<number> {
  const { address, family } = await lookup(host);
  const calls = socketCalls();
  const fd = calls.socket(family === 6 ? AF_INET6 : AF_INET, STREAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError('socket', calls.errno());
  try {
    for (const option of [SO_REUSEADDR, SO_REUSEPORT]) {
      if (calls.setsockopt(fd, SOL_SOCKET, option, ON, 4) !== 0) throw systemError('setsockopt', calls.errno());
    }
    const bytes = family === 6 ? ipv6Address(address, port) : ipv4Address(address, port);
    if (calls.bind(fd, bytes, bytes.byteLength) !== 0) throw systemError('bind', calls.errno());
    return fd;
  } catch (thrown) {
    calls.close(fd);
    throw thrown;
  }
}

let loaded: SocketCalls | undefined;

function socketCalls(): SocketCalls {
  if (loaded !== undefined) return loaded;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi').default;
  const libc = koffi.load(null);
  loaded = {
    socket: libc.func('int socket(int, int, int)'),
    setsockopt: libc.func('int setsockopt(int, int, int, int*, uint32_t)'),
    bind: libc.func('int bind(int, uint8_t*, uint32_t)'),
    close: libc.func('int close(int)'),
    errno: () => koffi.errno(),
  };
  return loaded;
}

const ERRNO_NAMES: Readonly<Record<number, string>> = { 13: 'EACCES', 98: 'EADDRINUSE', 99: 'EADDRNOTAVAIL' };

function systemError(call: string, errno: number): NodeJS.ErrnoException {
  const code = ERRNO_NAMES[errno] ?? `errno ${errno}`;
  return Object.assign(new Error(`${call}: ${code}`), { code, errno });
}

/** struct sockaddr_in. */
function ipv4Address(address: string, port: number): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
}

/** struct sockaddr_in6; a zone, as in `fe80::1%eth0`, is not carried over. */
function ipv6Address(address: string, port: number): Uint8Array {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16LE(AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  const [head = '', tail] = (address.split('%')[0] as string).split('::') as [string, string | undefined];
  const words = (text: string) => (text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16)));
  const first = words(head);
  const last = tail === undefined ? [] : words(tail);
  const all = tail === undefined ? first : [...first, ...new Array(8 - first.length - last.length).fill(0), ...last];
  for (const [i, word] of all.entries()) bytes.writeUInt16BE(word, 8 + 2 * i);
  return bytes;
}
