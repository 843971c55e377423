import { z } from 'zod';

const file = () => z.string().min(1).optional();
const certFile = () => file().describe("File of the server's certificate, and those between it and its root, in PEM");
const keyFile = () => file().describe('File of its private key, in PEM, without a passphrase');

/** Names of settings that are files of TLS. */
export const TLS_PATHS: readonly string[] = ['certFile', 'keyFile', 'rootFile', 'clientCaFile'];

/** Triton's `--grpc-use-ssl` and what goes with it. */
export const grpcTlsSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Speak TLS on the gRPC port and nothing else'),
    mutual: z.boolean().default(false).describe('Take only clients with a certificate by rootFile; means enabled too'),
    certFile: certFile(),
    keyFile: keyFile(),
    rootFile: file().describe("File of the certificates that clients' are checked by, in PEM"),
  })
  .refine(({ enabled, mutual, certFile, keyFile }) => !(enabled || mutual) || (certFile && keyFile), {
    message: 'TLS needs certFile and keyFile (--grpc-server-cert, --grpc-server-key)',
  })
  .refine(({ mutual, rootFile }) => !mutual || rootFile, {
    message: 'mutual TLS needs rootFile (--grpc-root-cert)',
  });

/** TLS of HTTP and WebSocket; there is none where no file is named. */
export const httpTlsSchema = z
  .strictObject({
    certFile: certFile(),
    keyFile: keyFile(),
    clientCaFile: file().describe(
      "File of the certificates that clients' are checked by, in PEM; with it a client needs a certificate",
    ),
  })
  .refine(({ certFile, keyFile, clientCaFile }) => (certFile && keyFile) || !(certFile || keyFile || clientCaFile), {
    message: 'TLS needs certFile and keyFile (--http-tls-cert-file, --http-tls-key-file)',
  });
