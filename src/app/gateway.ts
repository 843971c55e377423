import type { Listener, RunningServer } from '../cli/index.js';
import type { ServerConfig } from '../config/index.js';
import { BudgetBoard, Charges, type Clock, type GateReport, ServingError, spendsErrorBudget } from '../core/index.js';
import type { FeedbackJoin } from '../delivery/index.js';
import { Gates } from '../gates/index.js';
import {
  createLog,
  createMetrics,
  type Metrics,
  type ServerLog,
  type SloBook,
  SlowThresholds,
} from '../insight/index.js';
import { usableCores } from '../machine/index.js';
import type { ModelRepository } from '../models/index.js';
import type { Arena } from '../serving/arena/index.js';
import { AdminPlane, Authority, ControlPlane } from '../serving/controlplane/index.js';
import { Dataplane } from '../serving/dataplane/index.js';
import { createOffload, DeviceShares, Devices, ResourcePool, SpareTime } from '../serving/executor/index.js';
import { ControlDesk, type IngressThreads, ingressThreads, type WhyAbsentHere } from '../serving/ingress/index.js';
import type { StateStore } from '../store/index.js';
import { createArena } from './arena.js';
import { Billing } from './billing.js';
import { budgetGate } from './budget-gate.js';
import { callersOf } from './callers-of.js';
import { NO_CAPTURE } from './capture.js';
import { tapsBefore } from './capture-line.js';
import { ClientMemories, clientMemoryOf } from './client-memory.js';
import { type ReadDevices, readDevices } from './device-readings.js';
import { ejectionLog } from './ejection-log.js';
import { EndedRollouts } from './ended-rollouts.js';
import { exampleHint } from './example-hint.js';
import { createFeedback } from './feedback.js';
import { gatePolicy } from './gate-policy.js';
import { Hosting } from './hosting.js';
import { createIngress, startIngress, threadFigures } from './ingress.js';
import { createLedger } from './ledger.js';
import { Lifetime } from './lifetime.js';
import { type Listeners, type RequestServers, startListeners, startServers } from './listeners.js';
import { logOptions } from './log-options.js';
import { logControl } from './log-settings.js';
import { OFFLOAD_TASKS, offloadThreads } from './offload-tasks.js';
import { platformListeners } from './platforms.js';
import { Recorders } from './recorders.js';
import { askGates, releaseGate } from './release-gate.js';
import { openRepository } from './repository.js';
import { Reuse } from './reuse.js';
import { Rollouts } from './rollouts.js';
import { routesKeeping } from './routes-keeping.js';
import { shadowLimits } from './shadow-limits.js';
import { createSlos } from './slos.js';
import { slowRequestLog } from './slow-requests.js';
import { stateOf } from './state.js';
import { SYSTEM_CLOCK } from './system-clock.js';
import { openTokens, type Tokens } from './tokens.js';
import { toldTo } from './told-facts.js';
import type { Environment } from './tracing-settings.js';
import { Traffic } from './traffic.js';
import { PENSTOCK_VERSION } from './version.js';
import { VersionAges } from './version-ages.js';
import { Webhooks } from './webhooks.js';

export interface GatewaySurroundings {
  /** Folder that the printed command is relative to. */
  readonly cwd: string;
  /** Whether a person reads the log. */
  readonly isTTY: boolean;
  /** `XDG_CACHE_HOME` of the environment. */
  readonly xdgCacheHome: string | undefined;
  /** Versions of models whose version policy does not count. */
  readonly versions?: ReadonlyMap<string, readonly number[]>;
  /** `XDG_STATE_HOME` of the environment. */
  readonly xdgStateHome: string | undefined;
  /** Variables of the environment: those that OpenTelemetry knows (`OTEL_*`), and `CUDA_VISIBLE_DEVICES`; default none. */
  readonly env?: Environment;
}

/**
 * One gateway: the rooms, built and joined. It listens first, so that liveness shows while models load; then loads; then
 * serves. `stop` takes no new requests, answers what was accepted, frees everything.
 */
export class Gateway implements RunningServer {
  readonly ready: Promise<void>;
  readonly done: Promise<number>;
  readonly #config: ServerConfig;
  readonly #cwd: string;
  readonly #log: ServerLog;
  readonly #tokens: Tokens;
  readonly #state: StateStore;
  readonly #billing: Billing;
  readonly #metrics: Metrics;
  readonly #lifetime: Lifetime;
  readonly #devices: Devices;
  readonly #readings: ReadDevices;
  readonly #offload: ReturnType<typeof createOffload>;
  #memory: Arena | undefined;
  readonly #gates: Gates;
  readonly #repository: ModelRepository;
  readonly #control: ControlPlane;
  readonly #admin: AdminPlane;
  readonly #rollouts: Rollouts;
  readonly #feedback: FeedbackJoin;
  readonly #webhooks: Webhooks;
  readonly #dataplane: Dataplane;
  readonly #ingress: IngressThreads | undefined;
  readonly #recorders: Recorders;
  readonly #slowThresholds: SlowThresholds;
  readonly #clientMemories: ClientMemories;
  readonly #slos: SloBook;
  #listeners: Listeners | undefined;
  #end: (code: number) => void = () => {};
  #stopping: Promise<void> | undefined;

  constructor(config: ServerConfig, surroundings: GatewaySurroundings) {
    const clock = SYSTEM_CLOCK;
    this.#config = config;
    this.#cwd = surroundings.cwd;
    const log = createLog(logOptions(config.log, surroundings.isTTY));
    this.#log = log;
    this.#tokens = openTokens(config, log);
    this.#state = stateOf(config, surroundings, log);
    this.#webhooks = new Webhooks({ hooks: config.webhooks, clock, log, store: this.#state.letters });
    const ended = new EndedRollouts(this.#webhooks);
    const ledger = createLedger(config, clock);
    const charges = new Charges();
    const devices = new Devices({
      clock,
      log,
      onChange: () => this.#listeners?.grpc?.refreshHealth(),
      meterOf: ledger && ((device) => ledger.meterOf(device)),
    });
    this.#devices = devices;
    const feedback = createFeedback(config, {
      clock,
      specOf: (model, version) => this.#repository.spec(model, version),
      onJoined: ({ model, version }, metric, wrong, value) =>
        this.#slos.judged(model, version, metric, wrong === undefined ? undefined : !wrong, value),
      keep: { store: this.#state, log, wanted: (model) => this.#rollouts.engine.wantsLabels(model) },
    });
    this.#feedback = feedback;
    const statuses = () => devices.statuses();
    const visibleDevices = surroundings.env?.CUDA_VISIBLE_DEVICES;
    this.#readings = readDevices(config.metrics, { clock, log, statuses, visibleDevices });
    const board = new BudgetBoard(config.cost.budgets.length);
    const bills = {
      clock,
      log,
      ledger,
      store: this.#state.costs,
      readings: this.#readings,
      board,
      webhooks: this.#webhooks,
    };
    const billing = new Billing(config, bills);
    this.#billing = billing;
    const { maxQueueSize: maxFollowing } = config;
    const reuse = new Reuse({ maxBytes: config.responseCache.maxBytes, maxFollowing, clock, log });
    const cores = usableCores();
    const threads = ingressThreads(config.ingress.threads, cores, process.platform);
    const recorders = new Recorders(config, { threads, env: surroundings.env ?? {}, clock, log });
    this.#recorders = recorders;
    const { counterLatencies: counters, histogramLatencies: histograms } = config.metrics;
    const metrics = createMetrics({
      tritonLatencies: { counters, histograms },
      slos: () => this.#slos.tracked(),
      rollouts: () => ({
        running: this.#rollouts.engine.running(),
        ended: ended.figures(),
        webhooks: this.#webhooks.figures(),
      }),
      state: () => this.#state,
      devices: statuses,
      readings: this.#readings,
      outlooks: () => hosting.outlooks(),
      sequences: () => hosting.sequences(),
      responseCache: () => reuse.state,
      feedback: () => feedback.figures(),
      capture: () => recorders.capture?.figures(),
      traces: () => recorders.tracing?.figures(),
      budgets: config.cost.budgets.length === 0 ? undefined : () => billing.budgets(),
      costs: ledger && (() => ledger.snapshot()),
      payloadLog: () => recorders.payloadLog?.figures(),
      access: () => recorders.access?.figures(),
    });
    this.#metrics = metrics;
    this.#lifetime = new Lifetime(log);
    const tokenThreads = offloadThreads(config.offload, cores);
    this.#offload = createOffload({
      threads: tokenThreads,
      maxQueue: config.offload.maxQueueSize,
      tasks: OFFLOAD_TASKS,
    });
    const ages = new VersionAges(config.repositories);
    this.#slos = createSlos(config, {
      clock,
      log,
      metrics,
      webhooks: this.#webhooks,
      ages,
      ledger: ledger && (() => ledger.snapshot()),
    });
    const whyAbsent: WhyAbsentHere = (model, version) => {
      const error = this.#whyAbsent(model, version);
      if (error !== undefined && spendsErrorBudget(error.reason)) this.#slos.absent(model);
      return error;
    };
    const callers = callersOf(config);
    const facts = toldTo(metrics.facts, feedback, { note: (fact) => this.#rollouts.engine.note(fact) });
    const slow = slowRequestLog(config, { clock, log, share: { index: 0, of: 1 } });
    this.#slowThresholds = new SlowThresholds(config.slowRequests, clock);
    this.#dataplane = new Dataplane({
      ...(slow === undefined ? {} : { slow }),
      clock,
      metrics,
      whyAbsent,
      callers,
      charges,
      budgets: budgetGate(config, board, callers, clock),
      onEjection: ejectionLog(log),
      releases: { facts, shadows: shadowLimits(config) },
    });
    this.#clientMemories = new ClientMemories(config.allowClientShm);
    if (threads > 0) {
      const desk = new ControlDesk(() => this.#control, whyAbsent);
      this.#ingress = createIngress(config, {
        threads,
        offloadThreads: tokenThreads,
        desk,
        callers,
        charges,
        budgets: board.memory,
        facts,
        tracing: recorders.tracing,
        timelines: recorders.timelines,
        clientMemories: this.#clientMemories,
        taps: (index) => recorders.taps(index),
        access: recorders.access,
        metrics,
        clock,
        log,
      });
    }
    metrics.watchThreads(() => threadFigures(this.#ingress));
    const rollouts = new Rollouts({
      clock,
      log,
      store: this.#state,
      changed: (model) => hosting.changed(model),
      serving: (model) => hosting.serving(model),
      models: () => this.#repository,
      started: () => this.#lifetime.state !== 'starting',
      gate: { check: (version) => releaseGate(this.#gates, this.#repository, version) },
      notices: ended,
      labels: feedback,
    });
    this.#rollouts = rollouts;
    feedback.restore();
    const traffic = new Traffic({
      log,
      keeping: routesKeeping(this.#state, log),
      changed: (model) => hosting.changed(model),
      serving: (model) => hosting.serving(model),
      releaseOf: (model, versions) => rollouts.releaseOf(model, versions),
      judged: (model) => this.#slos.wantsFeedback(model),
      placesOf: (model, names) => metrics.routePlaces.placesOf(model, names),
      labelsAhead: config.labelsForUnavailableVersions,
    });
    const hosting: Hosting = new Hosting({
      traffic,
      rollouts,
      dataplane: this.#dataplane,
      metrics,
      clock,
      log,
      devices,
      resources: config.rateLimit === 'off' ? undefined : new ResourcePool(clock, config.rateLimitResources),
      shares: deviceShares(config.maxDeviceExecutions, cores, clock),
      maxQueueSize: config.maxQueueSize,
      policy: config.schedulingPolicy,
      ingress: this.#ingress,
      keepCosts: config.costs.keep,
      ledger,
      spareTime: new SpareTime(),
      ensembles: config.ensembles,
      maxCopiedBytes: config.shadows.maxBytes,
      reuse,
      slos: this.#slos,
      serves: ({ id, batching }) => this.#slowThresholds.watch(metrics.figuresOf(id), batching.sloMs),
    });
    const gate = new Gates({ policy: gatePolicy(config), clock, log });
    this.#gates = gate;
    const parts = { host: hosting, gate, offload: this.#offload, clock, log, surroundings };
    this.#repository = openRepository(config, parts, {
      onVersionReady: (id, info) => {
        metrics.setVersionInfo(id, info);
        void ages.look(id);
      },
      onVersionReloaded: (id) => {
        metrics.restartStatistics(id);
        rollouts.engine.reloaded(id.model, id.version);
      },
      onVersionGone: (id) => {
        this.#slowThresholds.forget(metrics.figuresOf(id));
        this.#slos.retiring(metrics.figuresOf(id));
        ages.forget(id);
        metrics.retire(id);
      },
    });
    const server = { serverName: config.serverId, version: PENSTOCK_VERSION };
    const authority = new Authority({
      identify: (token) => this.#tokens.identify(token),
      audit: this.#state,
      clock,
      log,
    });
    this.#admin = new AdminPlane({
      ...server,
      authority,
      routes: traffic,
      rollouts,
      audit: this.#state,
      tokens: () => this.#tokens.list(),
      capture: recorders.capture ?? NO_CAPTURE,
      costs: billing,
    });
    this.#control = new ControlPlane({
      ...server,
      models: this.#repository,
      routes: traffic,
      statistics: metrics,
      schedulers: hosting,
      latencies: metrics,
      slos: this.#slos,
      feedback,
      answersTold: async () => this.#ingress?.factsTold(),
      process: {
        live: () => this.#lifetime.live(),
        ready: () => this.#lifetime.ready() && devices.noneFailed,
      },
      strictReadiness: config.strictReadiness,
      authority,
      tracing: recorders.timelines.control,
      memory: this.#clientMemories.regions,
      sharedMemory: this.#clientMemories.allowed,
      logging: logControl(config.log, surroundings.isTTY, log),
    });
    this.done = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.ready = this.#start();
    // Who awaits `ready` is told; a failure nobody awaited must not end the process by itself.
    this.ready.catch(() => {});
  }

  get addresses(): RunningServer['addresses'] {
    const place = (name: 'http' | 'grpc' | 'metrics' | 'admin'): Listener | undefined => {
      const server = this.#listeners?.[name];
      if (server === undefined) return undefined;
      const tls = name === 'http' && this.#config.http.tls.certFile !== undefined;
      return { address: this.#config[name].address, port: server.port, tls };
    };
    return { http: place('http'), grpc: place('grpc'), metrics: place('metrics'), admin: place('admin') };
  }

  get platforms(): NonNullable<RunningServer['platforms']> {
    return platformListeners(this.#config);
  }

  get hint(): string | undefined {
    const { http } = this.addresses;
    return http && exampleHint(this.#config.repositories, http, this.#cwd);
  }

  models(): ReturnType<RunningServer['models']> {
    return this.#repository.index(false);
  }

  gate(model: string, candidate: number, baseline: number | undefined): Promise<GateReport> {
    return askGates(this.#gates, this.#repository, { model, candidate, baseline });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #start(): Promise<void> {
    try {
      const { watch } = this.#recorders;
      const parts = { metrics: this.#metrics, admin: this.#admin, clock: SYSTEM_CLOCK, log: this.#log, watch };
      this.#listeners = await startListeners(this.#config, parts, () => this.#startServers());
      const { http, grpc, admin } = this.#listeners;
      const callable = [http, grpc, admin].some((server) => server !== undefined);
      if (callable && this.#tokens.notice !== undefined) this.#log.info(this.#tokens.notice);
      if (callable) this.#webhooks.resume();
      await this.#repository.start();
    } catch (thrown) {
      await this.stop();
      throw thrown;
    }
    if (this.#lifetime.state !== 'starting') return;
    this.#lifetime.move('serving', 'models are loaded');
    this.#listeners.grpc?.refreshHealth();
  }

  async #startServers(): Promise<RequestServers> {
    if (this.#ingress !== undefined) {
      const servers = await startIngress(this.#config, this.#ingress);
      this.#log.info('ingress threads own the sockets', { threads: this.#ingress.serving });
      return servers;
    }
    this.#memory = createArena(this.#config.buffers.maxBytes, SYSTEM_CLOCK);
    return startServers(this.#config, {
      memory: this.#memory,
      inference: tapsBefore(this.#dataplane, this.#recorders.taps(0), SYSTEM_CLOCK),
      specs: this.#dataplane,
      control: this.#control,
      offload: this.#offload,
      clock: SYSTEM_CLOCK,
      log: this.#log,
      onRefused: (reason) => this.#metrics.refused(reason),
      watch: this.#recorders.watch,
      clientMemory: clientMemoryOf(this.#clientMemories.sourceSettings()),
    });
  }

  async #stop(): Promise<void> {
    this.#lifetime.move('draining', 'stop was asked for');
    try {
      this.#listeners?.http?.closeIntake();
      this.#listeners?.grpc?.closeIntake();
      for (const server of this.#listeners?.platforms ?? []) server.closeIntake();
      this.#listeners?.admin?.closeIntake();
      await this.#repository.drain(this.#config.exitTimeoutSecs * 1000);
      await this.#listeners?.close();
      await this.#recorders.close();
      this.#clientMemories.close();
      await this.#offload.close();
      this.#memory?.close();
    } finally {
      this.#devices.stop();
      this.#slowThresholds.stop();
      this.#billing.close();
      this.#readings.close();
      this.#slos.stop();
      this.#rollouts.engine.stop();
      this.#feedback.stop();
      this.#webhooks.close();
      this.#state.close();
      this.#lifetime.move('stopped', 'drained');
      void this.#log.flush(); // the process waits for it by itself, and not where nobody reads
      this.#end(0);
    }
  }

  /** Why a model that no table names cannot be used: not ready yet, or not any more; undefined = it does not exist. */
  #whyAbsent(model: string, version: number | undefined): ServingError | undefined {
    if (!['starting', 'serving'].includes(this.#lifetime.state)) {
      return new ServingError('DRAINING', 'the server is draining and takes no new requests');
    }
    const rows = this.#repository
      .index(false)
      .filter((entry) => entry.name === model && (version === undefined || entry.version === version));
    const waiting = rows.find((entry) => entry.state !== 'READY' && entry.reason !== 'unloaded');
    if (waiting === undefined) return undefined;
    const why = waiting.reason === '' ? waiting.state : `${waiting.state}: ${waiting.reason}`;
    return new ServingError('VERSION_NOT_READY', `model '${model}' is not ready (${why})`);
  }
}

/** Executions at once on a GPU where it is not said: one computes while another one's tensors are copied. */
const GPU_PLACES = 2;

/** Undefined: models run when they can. */
function deviceShares(
  most: ServerConfig['maxDeviceExecutions'],
  cores: number,
  clock: Clock,
): DeviceShares | undefined {
  if (most === 0) return undefined;
  return new DeviceShares(clock, (device) => (most === 'auto' ? (device === 'cpu' ? cores : GPU_PLACES) : most));
}
