import { z } from 'zod';

const file = () => z.string().min(1).optional();

/** Triton's `--grpc-use-ssl` and what goes with it. */
export const grpcTlsSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Speak TLS on the gRPC port and nothing else'),
    mutual: z.boolean().default(false).describe('Take only clients with a certificate by rootFile; means enabled too'),
    certFile: file().describe("File of the server's certificate, and those between it and its root, in PEM"),
    keyFile: file().describe('File of its private key, in PEM'),
    rootFile: file().describe("File of the certificates that clients' are checked by, in PEM"),
  })
  .refine(({ enabled, mutual, certFile, keyFile }) => !(enabled || mutual) || (certFile && keyFile), {
    message: 'TLS needs certFile and keyFile (--grpc-server-cert, --grpc-server-key)',
  })
  .refine(({ mutual, rootFile }) => !mutual || rootFile, {
    message: 'mutual TLS needs rootFile (--grpc-root-cert)',
  });
