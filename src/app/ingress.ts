import { type MessagePort, Worker } from 'node:worker_threads';
import type { ServerConfig } from '../config/index.js';
import { type ChargeSource, type Clock, type Log, type ReleaseFacts, toServingError } from '../core/index.js';
import type { Metrics, ThreadFigures } from '../insight/index.js';
import { monotonicOriginNs } from '../machine/index.js';
import type { Callers } from '../serving/dataplane/index.js';
import { type ControlDesk, IngressThreads, type ListeningPorts, type ThreadStart } from '../serving/ingress/index.js';
import { type GrpcServer, type HeldPort, holdPort } from '../serving/transport/index.js';
import type { AccessLog } from './access-log.js';
import type { CaptureTapSettings } from './capture-line.js';
import type { ClientMemories } from './client-memory.js';
import { type IngressSettings, withPorts } from './ingress-settings.js';
import type { RequestServers } from './listeners.js';
import { platformListeners } from './platforms.js';
import type { Timelines } from './timelines.js';
import type { Tracing } from './tracing.js';

const ENTRY = new URL('./ingress-entry.js', import.meta.url);

export interface IngressParts {
  readonly threads: number;
  /** Threads for large JSON and decompression, over all ingress threads. */
  readonly offloadThreads: number;
  readonly desk: ControlDesk;
  readonly callers: Callers;
  /** Of the board on which budgets refuse. */
  readonly budgets: SharedArrayBuffer;
  readonly charges: ChargeSource;
  /** Told what the threads note of releases. */
  readonly facts: ReleaseFacts;
  /** Undefined: no traces are made. */
  readonly tracing: Tracing | undefined;
  readonly timelines: Timelines;
  readonly clientMemories: ClientMemories;
  /** Of the captures and the payload log, for the thread of this index. */
  readonly taps: (index: number) => readonly CaptureTapSettings[];
  /** Undefined: there is none. */
  readonly access: AccessLog | undefined;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** The ingress threads of a configuration, not started yet. */
export function createIngress(config: ServerConfig, parts: IngressParts): IngressThreads {
  const { threads, offloadThreads, desk, callers, charges, facts, taps, tracing, access, metrics, clock, log } = parts;
  const originNs = monotonicOriginNs();
  const ingress: IngressThreads = new IngressThreads({
    threads,
    begin: (name, workerData, transferList) =>
      new Worker(ENTRY, { name, workerData, transferList: [...transferList, ...portsIn(workerData)] }),
    calls: 2 ** Math.ceil(Math.log2(config.ingress.maxInFlight)),
    settingsOf: (index, ports): IngressSettings => ({
      config: withPorts(config, ports),
      share: { index, of: threads },
      offloadThreads: Math.max(1, Math.floor(offloadThreads / threads)),
      clockOriginNs: originNs,
      refused: metrics.refusedPartOf(index),
      budgets: parts.budgets,
      traces: tracing?.sourceSettings(index),
      timelines: parts.timelines.sourceSettings(),
      clientMemory: parts.clientMemories.sourceSettings(),
      taps: taps(index),
      access: access?.sourceSettings(index),
    }),
    figuresOf: (id, index) => metrics.partOf(id, index),
    desk,
    tenantNamed: (name, nowNs) => callers.tenants.named(name, nowNs),
    charges,
    facts,
    clock,
    log,
  });
  return ingress;
}

/** Starts the threads, as the servers that they are together. Rejects with CONFLICT where a port is taken. */
export async function startIngress(config: ServerConfig, ingress: IngressThreads): Promise<RequestServers> {
  const { ports, giveUp } = await startOnPorts(config, ingress);
  const server = (port: number): GrpcServer => ({
    port,
    closeIntake: () => ingress.closeIntake(),
    close: async () => {
      await ingress.close();
      await giveUp();
    },
    abort: () => {},
    refreshHealth: () => ingress.refreshHealth(),
  });
  return {
    http: ports.http === undefined ? undefined : server(ports.http),
    grpc: ports.grpc === undefined ? undefined : server(ports.grpc),
    platforms: platformListeners(config).map(({ port }) => server(port)),
  };
}

/** Ports of ours among what a thread is started with. */
function portsIn(start: ThreadStart<unknown>): readonly MessagePort[] {
  const settings = start.settings as IngressSettings;
  return [...settings.taps, settings.timelines, settings.clientMemory, settings.traces, settings.access].flatMap(
    (source) => (source === undefined ? [] : [source.port]),
  );
}

/** Tries to find free ports where any will do: between the finding and the threads another process may take one. */
const TRIES = 5;

/** Ports that are this gateway's until `giveUp`. */
interface OwnPorts {
  readonly ports: ListeningPorts;
  giveUp(): Promise<void>;
}

async function startOnPorts(config: ServerConfig, ingress: IngressThreads): Promise<OwnPorts> {
  const { http, grpc } = config;
  const any = (http.enabled && http.port === 0) || (grpc.enabled && grpc.port === 0);
  for (let attempt = 1; ; attempt++) {
    const own = await freePorts(config);
    try {
      await ingress.start(own.ports);
      return own;
    } catch (thrown) {
      await own.giveUp();
      if (!any || attempt === TRIES || toServingError(thrown).reason !== 'CONFLICT') throw thrown;
    }
  }
}

/** Held together, so that two that are free to choose differ. */
async function freePorts(config: ServerConfig): Promise<OwnPorts> {
  const { http, grpc } = config;
  const held: HeldPort[] = [];
  const giveUp = async () => void (await Promise.all(held.map((one) => one.giveUp())));
  const hold = async (what: string, { enabled, address, port, reusePort }: ServerConfig['http' | 'grpc']) => {
    if (!enabled) return undefined;
    // Others may have it already: the threads find out whether they may too.
    if (reusePort && port !== 0) return port;
    const one = await holdPort(what, address, port);
    held.push(one);
    return one.port;
  };
  try {
    for (const { name, address, port } of platformListeners(config)) held.push(await holdPort(name, address, port));
    const ports = { http: await hold('HTTP', http), grpc: await hold('gRPC', grpc) };
    await Promise.all(held.map((one) => one.share()));
    return { ports, giveUp };
  } catch (thrown) {
    await giveUp();
    throw thrown;
  }
}

/** The event loops of the process, for the metrics. */
export function threadFigures(ingress: IngressThreads | undefined): ThreadFigures {
  const control = performance.eventLoopUtilization().active / 1000;
  return {
    busySeconds: new Map([['control', control], ...(ingress?.busySeconds() ?? [])]),
    ingress: ingress?.serving ?? 0,
    failures: ingress?.failures ?? 0,
  };
}
