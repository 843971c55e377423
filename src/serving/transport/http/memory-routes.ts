import { GROUPS, type GroupedCall, RIGHTS } from '../../controlplane/index.js';
import type { ControlCallInput } from './control-exchange.js';
import type { Route } from './routes.js';
import type { WholeAnswer } from './whole-call.js';

const SYSTEM = '/v2/systemsharedmemory';
const CUDA = '/v2/cudasharedmemory';
const NOTHING: WholeAnswer = { content: {} };

/** Triton's shared memory extensions. */
export const MEMORY_ROUTES: readonly Route[] = [
  ...[`${SYSTEM}/status`, `${SYSTEM}/region/:region/status`].map((pattern) =>
    memory('GET', pattern, 'sharedMemoryStatus', 'Memory that clients have registered', async ({ server, region }) => ({
      content: await server.control.sharedMemoryStatus(region),
    })),
  ),
  {
    ...memory(
      'POST',
      `${SYSTEM}/region/:region/register`,
      'sharedMemoryRegister',
      'Register shared memory',
      async (call) => {
        await call.server.control.sharedMemoryRegister(call.region, call.body, call.caller);
        return NOTHING;
      },
    ),
    request: 'SharedMemoryRegisterRequest',
  },
  ...[`${SYSTEM}/unregister`, `${SYSTEM}/region/:region/unregister`].map((pattern) =>
    memory('POST', pattern, 'sharedMemoryUnregister', 'Take registered memory back', async (call) => {
      await call.server.control.sharedMemoryUnregister(call.region, call.caller);
      return NOTHING;
    }),
  ),
  ...[`${CUDA}/status`, `${CUDA}/region/:region/status`].map((pattern) =>
    memory('GET', pattern, 'cudaMemoryStatus', 'CUDA memory of clients: none', async ({ server }) => ({
      content: await server.control.cudaMemoryStatus(),
    })),
  ),
  memory(
    'POST',
    `${CUDA}/region/:region/register`,
    'cudaMemoryRegister',
    'CUDA memory of clients: not taken, 501',
    async (call) => {
      await call.server.control.cudaMemoryRegister();
      return NOTHING;
    },
  ),
  ...[`${CUDA}/unregister`, `${CUDA}/region/:region/unregister`].map((pattern) =>
    memory('POST', pattern, 'cudaMemoryUnregister', 'There is no CUDA memory to take back', async ({ server }) => {
      await server.control.cudaMemoryUnregister();
      return NOTHING;
    }),
  ),
];

function memory(
  method: 'GET' | 'POST',
  pattern: string,
  call: GroupedCall,
  summary: string,
  handle: (input: ControlCallInput) => Promise<WholeAnswer>,
): Route {
  return {
    kind: 'control',
    method,
    pattern,
    tag: 'shared memory',
    right: RIGHTS[call],
    group: GROUPS[call],
    summary,
    response: method === 'GET' ? 'SharedMemoryRegions' : 'Empty',
    handle,
  };
}
