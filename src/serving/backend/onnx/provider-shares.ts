import type { DeviceKind, ProviderShares } from '../../../core/index.js';
import type { OrtSession } from './session.js';
import { check } from './status.js';

/** Entry that makes a session remember which provider each node was given to. */
export const RECORD_ASSIGNMENT = ['session.record_ep_graph_assignment_info', '1'] as const;

const PROVIDER_OF_DEVICE: Readonly<Record<DeviceKind, string>> = {
  cpu: 'CPUExecutionProvider',
  cuda: 'CUDAExecutionProvider',
};

/** Graph nodes by provider of one session, as ONNX Runtime assigned them after its optimisations. */
export function countAssignedNodes(session: OrtSession, device: DeviceKind): Map<string, number> {
  const { library } = session;
  const { api, scratch } = library;
  const nodes = new Map<string, number>();
  if (library.has('Session_GetEpGraphAssignmentInfo')) {
    check(api, api.Session_GetEpGraphAssignmentInfo(session.address, scratch.address, scratch.address + 8));
    const [subgraphs, count] = [scratch.word(0), scratch.word(1)];
    for (let i = 0; i < count; i++) {
      library.copy(scratch.address, subgraphs + i * 8, 8);
      const subgraph = scratch.word(0);
      check(api, api.EpAssignedSubgraph_GetEpName(subgraph, scratch.address));
      const provider = library.textAt(scratch.word(0));
      check(api, api.EpAssignedSubgraph_GetNodes(subgraph, scratch.address, scratch.address + 8));
      nodes.set(provider, (nodes.get(provider) ?? 0) + scratch.word(1));
    }
  }
  // A graph that was optimised away has no node; an older library does not tell, and then only the CPU's share is sure.
  if (nodes.size === 0 && (device === 'cpu' || library.has('Session_GetEpGraphAssignmentInfo'))) {
    nodes.set(PROVIDER_OF_DEVICE[device], 1);
  }
  return nodes;
}

/** Shares that sum to 1, over all sessions of a version; empty where nothing is known. */
export function providerShares(counts: readonly ReadonlyMap<string, number>[]): ProviderShares {
  const sums = new Map<string, number>();
  let total = 0;
  for (const count of counts) {
    for (const [provider, nodes] of count) {
      sums.set(provider, (sums.get(provider) ?? 0) + nodes);
      total += nodes;
    }
  }
  return Object.fromEntries([...sums].map(([provider, nodes]) => [provider, nodes / total]));
}
