/** A flag of the command line that sets one place of the server's configuration. */
export interface Flag {
  /** Without the dashes. */
  readonly name: string;
  /** Where it lands in the schema; undefined: `--config`, which names the file itself. */
  readonly path: readonly string[] | undefined;
  /** How its text is read. `pair`: `BACKEND,KEY=VALUE`; `weight`: `NAME=NUMBER`; `cache`: `local,size=BYTES`; `count`: a whole number, or a word that stands for one; `trace`: Triton's `KEY=VALUE` of traces; `metrics`: that of metrics. */
  readonly kind: 'string' | 'number' | 'count' | 'boolean' | 'pair' | 'weight' | 'trace' | 'cache' | 'metrics';
  /** True where it may be given several times; its values make a list. */
  readonly repeatable: boolean;
  /** True where Triton has it, with this meaning. */
  readonly triton: boolean;
  readonly aliases: readonly string[];
  /** True where giving the flag means false at `path`. */
  readonly negates: boolean;
}

interface Extra {
  readonly kind?: Flag['kind'];
  readonly repeatable?: boolean;
  readonly aliases?: readonly string[];
  readonly negates?: boolean;
}

const flag =
  (triton: boolean) =>
  (name: string, path: string | undefined, kind: Flag['kind'] = 'string', extra: Extra = {}): Flag => ({
    name,
    path: path?.split('.'),
    kind,
    triton,
    repeatable: extra.repeatable ?? false,
    aliases: extra.aliases ?? [],
    negates: extra.negates ?? false,
  });
const triton = flag(true);
const own = flag(false);

/** Every flag of `penstock serve`. Descriptions and defaults stand in the schema. */
export const FLAGS: readonly Flag[] = [
  own('config', undefined),
  triton('model-repository', 'repositories', 'string', { repeatable: true, aliases: ['model-store'] }),
  triton('model-control-mode', 'modelControlMode'),
  triton('repository-poll-secs', 'repositoryPollSecs', 'number'),
  triton('load-model', 'loadModels', 'string', { repeatable: true }),
  triton('disable-auto-complete-config', 'autoCompleteConfig', 'boolean', { negates: true }),
  triton('strict-model-config', 'autoCompleteConfig', 'boolean', { negates: true }),
  triton('model-config-name', 'modelConfigName'),
  own('allow-version-labels-for-unavailable-models', 'labelsForUnavailableVersions', 'boolean', {
    aliases: ['allow_version_labels_for_unavailable_models'],
  }),
  triton('model-load-thread-count', 'modelLoadThreads', 'number'),
  triton('model-load-retry-count', 'modelLoadRetries', 'number'),
  triton('id', 'serverId'),
  triton('allow-client-shm', 'allowClientShm', 'boolean'),
  own('triton-compatible-errors', 'tritonCompatibleErrors', 'boolean'),
  triton('exit-timeout-secs', 'exitTimeoutSecs', 'number'),
  triton('exit-on-error', 'exitOnError', 'boolean'),
  triton('strict-readiness', 'strictReadiness', 'boolean'),
  triton('backend-config', 'backends', 'pair', { repeatable: true }),
  own('max-queue-size', 'maxQueueSize', 'number'),
  own('max-execution-ms', 'maxExecutionMs', 'number'),
  own('slo-ms', 'sloMs', 'number'),
  own('scheduling-policy', 'schedulingPolicy'),
  own('max-device-executions', 'maxDeviceExecutions', 'count'),
  triton('rate-limit', 'rateLimit'),
  triton('rate-limit-resource', 'rateLimitResources', 'string', { repeatable: true }),
  own('engine', 'engine'),
  own('device', 'provider.device'),
  own('on-gpu-error', 'provider.onGpuError'),
  own('strict-providers', 'provider.strict', 'boolean'),
  own('gpu-wait', 'provider.gpuWait'),
  own('gpu-memory-bytes', 'provider.gpuMemoryBytes', 'number'),
  own('global-thread-pool', 'globalThreadPool', 'number'),
  own('json-nan', 'jsonNan', 'boolean'),
  own('admin-token-file', 'adminTokenFile'),
  own('tokens-file', 'tokensFile'),
  own('admin-address', 'admin.address'),
  own('admin-port', 'admin.port', 'number'),
  own('state-dir', 'state.folder'),
  triton('allow-http', 'http.enabled', 'boolean'),
  triton('http-address', 'http.address'),
  triton('http-port', 'http.port', 'number'),
  triton('http-max-input-size', 'http.maxInputBytes', 'number'),
  own('http-unix-socket', 'http.unixSocket'),
  own('http-unix-socket-mode', 'http.unixSocketMode'),
  triton('reuse-http-port', 'http.reusePort', 'boolean'),
  triton('http-header-forward-pattern', 'http.headerForwardPattern'),
  own('http-tls-cert-file', 'http.tls.certFile'),
  own('http-tls-key-file', 'http.tls.keyFile'),
  own('http-tls-client-ca-file', 'http.tls.clientCaFile'),
  own('cors-allow-origin', 'http.cors.allowOrigins', 'string', { repeatable: true }),
  own('cors-max-age-secs', 'http.cors.maxAgeSecs', 'number'),
  triton('http-restricted-api', 'http.restrictedApis', 'string', { repeatable: true }),
  own('websocket-max-connections', 'http.websocket.maxConnections', 'number'),
  own('websocket-max-in-flight', 'http.websocket.maxInFlight', 'number'),
  own('websocket-max-frame-bytes', 'http.websocket.maxFrameBytes', 'number'),
  own('websocket-max-backpressure-bytes', 'http.websocket.maxBackpressureBytes', 'number'),
  own('websocket-compression', 'http.websocket.compression', 'boolean'),
  own('websocket-idle-timeout-secs', 'http.websocket.idleTimeoutSecs', 'number'),
  triton('allow-grpc', 'grpc.enabled', 'boolean'),
  triton('grpc-address', 'grpc.address'),
  triton('grpc-port', 'grpc.port', 'number'),
  own('grpc-unix-socket', 'grpc.unixSocket'),
  own('grpc-unix-socket-mode', 'grpc.unixSocketMode'),
  triton('grpc-use-ssl', 'grpc.tls.enabled', 'boolean'),
  triton('grpc-use-ssl-mutual', 'grpc.tls.mutual', 'boolean'),
  triton('grpc-server-cert', 'grpc.tls.certFile'),
  triton('grpc-server-key', 'grpc.tls.keyFile'),
  triton('grpc-root-cert', 'grpc.tls.rootFile'),
  triton('reuse-grpc-port', 'grpc.reusePort', 'boolean'),
  triton('grpc-header-forward-pattern', 'grpc.headerForwardPattern'),
  triton('grpc-restricted-protocol', 'grpc.restrictedProtocols', 'string', { repeatable: true }),
  own('grpc-max-message-bytes', 'grpc.maxMessageBytes', 'number'),
  own('grpc-answer-timeout-ms', 'grpc.answerTimeoutMs', 'number'),
  own('grpc-stream-form', 'grpc.streamForm'),
  triton('grpc-keepalive-time', 'grpc.keepaliveTimeMs', 'number'),
  triton('grpc-keepalive-timeout', 'grpc.keepaliveTimeoutMs', 'number'),
  triton('grpc-max-connection-age', 'grpc.maxConnectionAgeMs', 'number'),
  triton('grpc-max-connection-age-grace', 'grpc.maxConnectionAgeGraceMs', 'number'),
  triton('allow-sagemaker', 'sagemaker.enabled', 'boolean'),
  own('sagemaker-address', 'sagemaker.address'),
  triton('sagemaker-port', 'sagemaker.port', 'number'),
  triton('sagemaker-safe-port-range', 'sagemaker.safePortRange'),
  own('sagemaker-default-model', 'sagemaker.defaultModel'),
  own('sagemaker-ping', 'sagemaker.ping'),
  own('sagemaker-multi-model', 'sagemaker.multiModel', 'boolean'),
  own('sagemaker-models-folder', 'sagemaker.modelsFolder'),
  triton('allow-vertex-ai', 'vertexAi.enabled', 'boolean'),
  own('vertex-ai-address', 'vertexAi.address'),
  triton('vertex-ai-port', 'vertexAi.port', 'number'),
  own('vertex-ai-health-route', 'vertexAi.healthRoute'),
  own('vertex-ai-predict-route', 'vertexAi.predictRoute'),
  triton('vertex-ai-default-model', 'vertexAi.defaultModel'),
  triton('allow-metrics', 'metrics.enabled', 'boolean'),
  triton('metrics-address', 'metrics.address'),
  triton('metrics-port', 'metrics.port', 'number'),
  triton('metrics-config', 'metrics', 'metrics', { repeatable: true }),
  triton('allow-cpu-metrics', 'metrics.cpu', 'boolean'),
  triton('allow-gpu-metrics', 'metrics.gpu', 'boolean'),
  own('gpu-metrics-always', 'metrics.gpuAlways', 'boolean'),
  triton('log-verbose', 'log.verboseLevel', 'number'),
  triton('log-info', 'log.info', 'boolean'),
  triton('log-warning', 'log.warning', 'boolean'),
  triton('log-error', 'log.error', 'boolean'),
  triton('log-format', 'log.format'),
  triton('log-file', 'log.file'),
  own('model-cache', 'cache.enabled', 'boolean'),
  own('model-cache-dir', 'cache.folder'),
  own('model-cache-max-bytes', 'cache.maxBytes', 'number'),
  own('model-cache-min-model-bytes', 'cache.minModelBytes', 'number'),
  own('cost-sweep-ms', 'costs.sweepMs', 'number'),
  own('keep-costs', 'costs.keep', 'boolean'),
  own('ingress-threads', 'ingress.threads', 'count'),
  own('ingress-max-in-flight', 'ingress.maxInFlight', 'number'),
  own('tenant-source', 'tenants.source'),
  own('tenant-name', 'tenants.name'),
  own('tenant-weight', 'tenants.weights', 'weight', { repeatable: true }),
  own('max-unlisted-tenants', 'tenants.maxUnlisted', 'number'),
  own('criticality-source', 'criticality.source'),
  own('feedback-max-predictions', 'feedback.maxPredictions', 'number'),
  own('feedback-keep-secs', 'feedback.keepSecs', 'number'),
  own('feedback-max-early', 'feedback.maxEarly', 'number'),
  own('feedback-early-secs', 'feedback.earlySecs', 'number'),
  own('feedback-settle-secs', 'feedback.settleSecs', 'number'),
  own('require-golden', 'gates.requireGolden', 'boolean'),
  own('require-model-card', 'gates.requireModelCard', 'boolean'),
  own('require-signature', 'gates.requireSignature', 'boolean'),
  own('public-key', 'gates.publicKeys', 'string', { repeatable: true }),
  own('model-card-field', 'gates.modelCardFields', 'string', { repeatable: true }),
  own('slow-request-ms', 'slowRequests.overMs', 'number'),
  own('slow-request-times-slo', 'slowRequests.timesSlo', 'number'),
  own('slow-request-times-p99', 'slowRequests.timesP99', 'number'),
  own('shadow-max-in-flight', 'shadows.maxInFlight', 'number'),
  own('shadow-max-bytes', 'shadows.maxBytes', 'number'),
  own('shadow-absolute-tolerance', 'shadows.absoluteTolerance', 'number'),
  own('shadow-relative-tolerance', 'shadows.relativeTolerance', 'number'),
  own('capture-folder', 'capture.folder'),
  own('capture', 'capture.percent', 'weight', { repeatable: true }),
  own('capture-max-bytes-per-second', 'capture.maxBytesPerSecond', 'number'),
  own('capture-max-bytes', 'capture.maxBytes', 'number'),
  own('access-log', 'accessLog.destination'),
  own('access-log-format', 'accessLog.format'),
  own('access-log-percent', 'accessLog.percent', 'number'),
  own('tracing', 'tracing.enabled'),
  own('tracing-endpoint', 'tracing.endpoint'),
  own('tracing-protocol', 'tracing.protocol'),
  own('tracing-percent', 'tracing.percent', 'number'),
  own('tracing-keep-slower-than-ms', 'tracing.keepSlowerThanMs', 'number'),
  own('tracing-max-traces-per-second', 'tracing.maxTracesPerSecond', 'number'),
  triton('trace-config', 'timelines', 'trace', { repeatable: true }),
  triton('trace-level', 'timelines', 'trace', { repeatable: true }),
  triton('trace-file', 'timelines.file'),
  triton('trace-rate', 'timelines.rate', 'number'),
  triton('trace-count', 'timelines.count', 'number'),
  triton('trace-log-frequency', 'timelines.logFrequency', 'number'),
  own('embedding-model', 'texts.embeddingModel'),
  own('sparse-model', 'texts.sparseModel'),
  own('rerank-model', 'texts.rerankModel'),
  own('classify-model', 'texts.classifyModel'),
  own('max-client-batch-size', 'texts.maxClientBatchSize', 'number'),
  own('offload-threads', 'offload.threads', 'number'),
  own('offload-max-queue-size', 'offload.maxQueueSize', 'number'),
  own('offload-json-bytes', 'offload.jsonBytes', 'number'),
  own('buffers-max-bytes', 'buffers.maxBytes', 'number'),
  triton('cache-config', 'responseCache.maxBytes', 'cache'),
  triton('response-cache-byte-size', 'responseCache.maxBytes', 'number'),
  own('ensemble-max-in-flight', 'ensembles.maxInFlight', 'number'),
  own('ensemble-max-bytes', 'ensembles.maxBytes', 'number'),
];

const BY_NAME = new Map(FLAGS.flatMap((row) => [row.name, ...row.aliases].map((name) => [name, row] as const)));

/** The flag of that name or alias. */
export function flagNamed(name: string): Flag | undefined {
  return BY_NAME.get(name);
}

/** Every name that a flag can be given by. */
export function flagNames(): readonly string[] {
  return [...BY_NAME.keys()];
}
