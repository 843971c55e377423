import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { didYouMean, ServingError } from '../../core/index.js';
import { readDocument } from '../document.js';
import { type ConfigFault, faultsOf, pathText } from '../issues.js';
import { checkBudgets } from './budget-checks.js';
import { PAYLOAD_LOG_PATHS } from './payload-log.js';
import { type ServerConfig, serverConfigSchema } from './schema.js';
import { TLS_PATHS } from './tls.js';

export interface ServerConfigSources {
  /** Part of the configuration from the command line, nested as the schema is (`readServerFlags`). Wins over the file. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
  /** The flag behind a place of `flags`, for messages. */
  readonly origins?: ReadonlyMap<string, string> | undefined;
  /** `penstock.yaml` or a JSON file; relative paths in it are relative to its folder. */
  readonly file?: string | undefined;
}

/**
 * The server's configuration: the schema's defaults, over them the file, over that the flags (a list of flags replaces
 * the file's list). Throws `MALFORMED_REQUEST` that says where the fault is: file and line, or flag.
 */
export function loadServerConfig(sources: ServerConfigSources = {}): ServerConfig {
  const flags = sources.flags ?? {};
  const fromFile = sources.file === undefined ? {} : readConfigFile(sources.file);
  const parsed = serverConfigSchema.safeParse(merged(fromFile, flags), { reportInput: true });
  if (!parsed.success) {
    throw new ServingError(
      'MALFORMED_REQUEST',
      faultsOf(serverConfigSchema, parsed.error)
        .map((fault) => sentence(fault, sources))
        .join('; '),
    );
  }
  refuseSharedPorts(parsed.data);
  refuseSharedSockets(parsed.data);
  refuseUnknownWebhooks(parsed.data, sources);
  checkBudgets(parsed.data);
  return deepFreeze(parsed.data);
}

/** Each socket file is one listener's. */
function refuseSharedSockets({ http, grpc }: ServerConfig): void {
  if (http.enabled && grpc.enabled && http.unixSocket !== undefined && http.unixSocket === grpc.unixSocket)
    throw new ServingError(
      'MALFORMED_REQUEST',
      `http.unixSocket and grpc.unixSocket are both ${http.unixSocket}; each needs its own`,
    );
}

/** Two listeners on one address and port would both seem to start. */
function refuseSharedPorts({ http, grpc, metrics, admin }: ServerConfig): void {
  const used = new Map<string, string>();
  const adminListener = { ...admin, enabled: admin.port !== undefined, port: admin.port ?? 0 };
  for (const [name, { enabled, address, port }] of Object.entries({ http, grpc, metrics, admin: adminListener })) {
    const place = `${address}:${port}`;
    const other = used.get(place);
    if (!enabled || port === 0) continue;
    if (other !== undefined)
      throw new ServingError(
        'MALFORMED_REQUEST',
        `${name}.port and ${other}.port are both ${port}; each needs its own`,
      );
    used.set(place, name);
  }
}

/** A notice that nobody gets would be missed when it matters. */
function refuseUnknownWebhooks({ slos, cost, webhooks }: ServerConfig, sources: ServerConfigSources): void {
  const names = webhooks.map(({ name }) => name);
  const telling = [
    ...slos.map(({ notify }, i) => ({ path: ['slos', i, 'notify'], notify })),
    ...cost.budgets.map(({ notify }, i) => ({ path: ['cost', 'budgets', i, 'notify'], notify })),
  ];
  for (const { path, notify = [] } of telling)
    for (const [j, name] of notify.entries())
      if (!names.includes(name)) {
        const fault = { path: [...path, j], message: `no webhook '${name}'${didYouMean(name, names)}` };
        throw new ServingError('MALFORMED_REQUEST', sentence(fault, sources));
      }
}

function sentence({ path, message }: ConfigFault, { file, origins }: ServerConfigSources): string {
  const flag = path.map((_, i) => origins?.get(path.slice(0, i + 1).join('.'))).find((name) => name !== undefined);
  if (flag !== undefined) return `${flag}: ${message}`;
  const line = file === undefined ? undefined : readDocument(readFileSync(file, 'utf8')).lineOf(path);
  const at = file === undefined ? '' : `${file}${line === undefined ? '' : `:${line}`}: `;
  const where = pathText(path);
  return `${at}${where === '' ? '' : `${where}: `}${message}`;
}

/** What the access log's destination may be that is no file. */
const STREAMS: readonly unknown[] = [undefined, 'off', 'stdout', 'stderr'];

/** The file as a plain value, its paths made absolute. */
function readConfigFile(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    throw new ServingError('MALFORMED_REQUEST', `${file}: cannot be read (${(thrown as NodeJS.ErrnoException).code})`, {
      cause: thrown,
    });
  }
  const { value, fault } = readDocument(text);
  if (fault !== undefined) throw new ServingError('MALFORMED_REQUEST', `${file}:${fault.line}: ${fault.message}`);
  if (value === undefined) return {};
  if (!isPlain(value)) throw new ServingError('MALFORMED_REQUEST', `${file}: expected a map of settings`);
  const folder = dirname(resolve(file));
  const absolute = (path: unknown) =>
    typeof path === 'string' && path !== '' && !isAbsolute(path) ? resolve(folder, path) : path;
  const config = { ...value };
  if (Array.isArray(config.repositories)) config.repositories = config.repositories.map(absolute);
  if (config.adminTokenFile !== undefined) config.adminTokenFile = absolute(config.adminTokenFile);
  if (config.tokensFile !== undefined) config.tokensFile = absolute(config.tokensFile);
  if (isPlain(config.state) && config.state.folder !== undefined && config.state.folder !== 'off')
    config.state = { ...config.state, folder: absolute(config.state.folder) };
  if (Array.isArray(config.webhooks))
    config.webhooks = config.webhooks.map((hook) =>
      isPlain(hook) && hook.secretFile !== undefined ? { ...hook, secretFile: absolute(hook.secretFile) } : hook,
    );
  for (const name of ['http', 'grpc']) {
    const listener = config[name];
    if (listener === undefined) continue;
    config[name] = withPaths(listener, ['unixSocket', ...TLS_PATHS], absolute);
  }
  if (isPlain(config.log) && config.log.file !== undefined)
    config.log = { ...config.log, file: absolute(config.log.file) };
  if (isPlain(config.accessLog) && !STREAMS.includes(config.accessLog.destination))
    config.accessLog = { ...config.accessLog, destination: absolute(config.accessLog.destination) };
  if (isPlain(config.gates) && Array.isArray(config.gates.publicKeys))
    config.gates = { ...config.gates, publicKeys: config.gates.publicKeys.map(absolute) };
  if (isPlain(config.capture) && config.capture.folder !== undefined)
    config.capture = { ...config.capture, folder: absolute(config.capture.folder) };
  config.payloadLog = withPaths(config.payloadLog, PAYLOAD_LOG_PATHS, absolute);
  if (isPlain(config.cache) && config.cache.folder !== undefined)
    config.cache = { ...config.cache, folder: absolute(config.cache.folder) };
  return config;
}

/** A copy with `absolute` of the values of these keys, at any depth. */
function withPaths(value: unknown, keys: readonly string[], absolute: (path: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((one) => withPaths(one, keys, absolute));
  if (!isPlain(value)) return value;
  const entries = Object.entries(value).map(([key, member]) => [
    key,
    keys.includes(key) ? absolute(member) : withPaths(member, keys, absolute),
  ]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

function merged(below: unknown, above: unknown): unknown {
  if (!isPlain(below) || !isPlain(above)) return above === undefined ? below : above;
  const keys = new Set([...Object.keys(below), ...Object.keys(above)]);
  return Object.fromEntries([...keys].map((key) => [key, merged(below[key], above[key])]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null)
    for (const member of Object.values(Object.freeze(value))) deepFreeze(member);
  return value;
}
