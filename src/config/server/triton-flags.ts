/** A flag of Triton's that is known but not served. */
export interface UnservedFlag {
  /** `error`: the server would not do what was asked for. `warning`: it answers the same without it. */
  readonly effect: 'error' | 'warning';
  readonly why: string;
}

const error = (why: string): UnservedFlag => ({ effect: 'error', why });
const warning = (why: string): UnservedFlag => ({ effect: 'warning', why });

const MEMORY_POOL = warning('the engine manages its own memory');
const THREADS = warning('use --ingress-threads: they serve the routes of cloud platforms too');

/** Triton's flags that are not served (`src/command_line_parser.cc`), each with what happens where it is given. */
export const UNSERVED_TRITON_FLAGS: Readonly<Record<string, UnservedFlag>> = {
  'model-namespacing': error('models of two repositories with the same name are refused'),
  'enable-peer-access': warning('GPUs do not exchange memory'),
  'http-thread-count': warning('use --ingress-threads: they serve HTTP and gRPC'),
  'grpc-infer-thread-count': warning('use --ingress-threads: they serve HTTP and gRPC'),
  'grpc-infer-allocation-pool-size': warning('messages are not pooled'),
  'grpc-max-response-pool-size': warning('messages are not pooled'),
  'grpc-infer-response-compression-level': warning('an answer is compressed as its request was'),
  'grpc-keepalive-permit-without-calls': warning('every connection is pinged, with calls or without'),
  'grpc-http2-max-pings-without-data': warning(
    'pings are limited by HTTP/2 itself: a flood of them ends the connection',
  ),
  'grpc-http2-min-recv-ping-interval-without-data': warning(
    'pings are limited by HTTP/2 itself: a flood of them ends the connection',
  ),
  'grpc-http2-max-ping-strikes': warning('pings are limited by HTTP/2 itself: a flood of them ends the connection'),
  'sagemaker-thread-count': THREADS,
  'vertex-ai-thread-count': THREADS,
  'metrics-interval-ms': warning('figures are taken when they are asked for'),
  'cache-directory': warning('the cache is built in'),
  'pinned-memory-pool-byte-size': MEMORY_POOL,
  'cuda-memory-pool-byte-size': MEMORY_POOL,
  'cuda-virtual-address-size': MEMORY_POOL,
  'min-supported-compute-capability': warning('the CUDA provider decides which GPUs it runs on'),
  'buffer-manager-thread-count': warning('inputs are gathered by the event loop'),
  'host-policy': warning('instances are not bound to NUMA nodes or cores'),
  'model-load-gpu-limit': error(
    'the share of GPU memory is not limited at a load; use --gpu-memory-bytes and the provider option gpu_mem_limit',
  ),
  'backend-directory': warning('backends are built in'),
  'repoagent-directory': error('repository agents are not run'),
};
