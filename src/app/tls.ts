import type { ServerConfig } from '../config/index.js';
import type { TlsFiles } from '../serving/transport/index.js';

/** What gRPC speaks TLS by; undefined: it does not. */
export function grpcTls(tls: ServerConfig['grpc']['tls']): TlsFiles | undefined {
  const { enabled, mutual, certFile = '', keyFile = '', rootFile = '' } = tls;
  if (!enabled && !mutual) return undefined;
  return filesOf('grpc.tls', certFile, keyFile, mutual ? { rootFile } : {});
}

/** What HTTP and WebSocket speak TLS by; undefined: they do not. */
export function httpTls({ certFile, keyFile = '', clientCaFile }: ServerConfig['http']['tls']): TlsFiles | undefined {
  if (certFile === undefined) return undefined;
  return filesOf('http.tls', certFile, keyFile, clientCaFile === undefined ? {} : { clientCaFile });
}

function filesOf(setting: string, certFile: string, keyFile: string, ca: Readonly<Record<string, string>>): TlsFiles {
  const file = (name: string, path: string) => ({ setting: `${setting}.${name}`, path });
  const [clientCa] = Object.entries(ca).map(([name, path]) => file(name, path));
  return { cert: file('certFile', certFile), key: file('keyFile', keyFile), clientCa };
}
