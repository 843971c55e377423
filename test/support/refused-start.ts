import { spawnSync } from 'node:child_process';
import { PROGRAM } from './gateway-process.js';
import { repositoryOf } from './running-gateway.js';

/** What a gateway that does not start says, and its exit status; on ports of the system's choice, over one model. */
export function refusedStart(flags: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  const models = repositoryOf({ m: 'identity_fixed' });
  const ports = ['--http-port=0', '--grpc-port=0', '--metrics-port=0', '--state-dir=off'];
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, 'serve', models.path, ...ports, ...flags], {
    encoding: 'utf8',
  });
  models.remove();
  return { status, stderr };
}
