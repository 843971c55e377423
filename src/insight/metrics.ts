import { collectDefaultMetrics, Registry } from 'prom-client';
import {
  type BudgetStatus,
  type CaptureFigures,
  type DeviceReadings,
  type DeviceStatus,
  type FeedbackFigures,
  type LatencySource,
  type LedgerSnapshot,
  type MetricsSink,
  type ModelVersionId,
  type PayloadFigures,
  type QueueOutlook,
  REASONS,
  type Reason,
  type ReleaseFacts,
  type RolloutFigures,
  type StateFigures,
  type StatisticsSource,
  type VersionStatistics,
  versionKey,
} from '../core/index.js';
import type { AccessSums } from './access/access-figures.js';
import { accessFamilies } from './access-families.js';
import { budgetFamilies } from './budget-families.js';
import { captureFamilies } from './capture-families.js';
import { penstockFamilies, type ThreadFigures, type VersionInfo } from './catalogue.js';
import { deviceFamilies, tritonDeviceFamilies } from './device-families.js';
import type { Family } from './family.js';
import { feedbackFamilies } from './feedback-families.js';
import { latencyFamilies } from './latency/latency-families.js';
import { RoutePlaces } from './latency/route-places.js';
import { latencyOf } from './latency/version-latency.js';
import { costFamilies } from './ledger/cost-families.js';
import { type ExposedFamily, OPEN_METRICS_TYPE, openMetricsText, wantsOpenMetrics } from './open-metrics.js';
import { outlookFamilies } from './outlook-families.js';
import { payloadFamilies } from './payload-families.js';
import { ReleaseFigures } from './release-figures.js';
import { type ResponseCacheFigures, reuseFamilies } from './reuse-families.js';
import { rolloutFamilies } from './rollout-families.js';
import { sequenceFamilies, type VersionSequences } from './sequence-families.js';
import { sloFamilies } from './slo/slo-families.js';
import type { TrackedSlo } from './slo/tracked-slo.js';
import { stateFamilies } from './state-families.js';
import { traceFamilies } from './trace-families.js';
import type { TraceSums } from './traces/trace-figures.js';
import { type TritonLatencies, tritonFamilies } from './triton-aliases.js';
import { VersionFigures } from './version-figures.js';

export interface MetricsOptions {
  /** Metrics of the process itself (event loop lag, heap, CPU); default true. */
  readonly processMetrics?: boolean;
  /** Wall clock in milliseconds, for `last_inference`. */
  readonly wallMs?: () => number;
  /** The devices and their states; none by default. */
  readonly devices?: () => readonly DeviceStatus[];
  /** Feedback on predictions; default: nothing is told of it. */
  readonly feedback?: () => FeedbackFigures;
  /** Captures; default: nothing is told of them. */
  readonly capture?: () => CaptureFigures | undefined;
  /** The access log; default: nothing is told of it. */
  readonly access?: () => AccessSums | undefined;
  /** Traces; default: nothing is told of them. */
  readonly traces?: () => TraceSums | undefined;
  /** The state that outlives the process; default: nothing is told of it. */
  readonly state?: () => StateFigures;
  /** What devices say of themselves; default: nothing is told of it. */
  readonly readings?: DeviceReadings;
  /** How the lines of versions stand; default: nothing is told of it. */
  readonly outlooks?: () => Iterable<QueueOutlook>;
  /** Of versions that serve sequences; default: nothing is told of them. */
  readonly sequences?: () => Iterable<VersionSequences>;
  /** SLOs; default: nothing is told of them. */
  readonly slos?: () => readonly TrackedSlo[];
  /** Budgets; default: nothing is told of them. */
  readonly budgets?: (() => readonly BudgetStatus[]) | undefined;
  /** The response cache; default: there is none. */
  readonly responseCache?: () => ResponseCacheFigures | undefined;
  /** Which of Triton's figures of time there are; default: all. */
  readonly tritonLatencies?: TritonLatencies;
  /** The cost ledger; default: nothing is told of it. */
  readonly costs?: (() => LedgerSnapshot) | undefined;
  /** The payload log; default: nothing is told of it. */
  readonly payloadLog?: () => PayloadFigures | undefined;
  /** Rollouts and their webhooks; default: nothing is told of them. */
  readonly rollouts?: () => RolloutFigures;
}

/** Where figures go, and where they are read. */
export interface Metrics extends MetricsSink, StatisticsSource, LatencySource {
  /** Memory that thread `thread` (a number of its own, kept by its successor) writes a version's figures to, see `RequestFigures`. */
  partOf(id: ModelVersionId, thread: number): SharedArrayBuffer;
  /** Memory that a thread writes the numbers of its refusals to, see `refusedInto`. */
  refusedPartOf(thread: number): SharedArrayBuffer;
  /** Event loops of the process by name, read when scraped. */
  watchThreads(read: () => ThreadFigures): void;
  /** Tells state and providers of a version, loaded or not. */
  setVersionInfo(id: ModelVersionId, info: VersionInfo): void;
  /**
   * The version was loaded again: its protocol statistics begin anew, as Triton's do; its counters go on, as Triton's do.
   */
  restartStatistics(id: ModelVersionId): void;
  /** The version was unloaded: its series and statistics go. Who still holds its `VersionMetrics` writes into the void. */
  retire(id: ModelVersionId): void;
  /** Counts what becomes of copies of requests. */
  readonly facts: ReleaseFacts;
  /** The figures of all versions. */
  versions(): Iterable<VersionFigures>;
  /** Of a version that serves. */
  figuresOf(id: ModelVersionId): VersionFigures;
  /** Where the figures of a model's routes are kept, see `ModelTraffic.places`. */
  readonly routePlaces: RoutePlaces;
  /** Every family of our own and of Triton's names, in the order of the catalogue. */
  readonly families: readonly Family[];
  /** All metrics in Prometheus' text form. */
  scrape(): Promise<string>;
  /** The same, or as OpenMetrics where this `Accept` header asks for that. */
  expose(accept: string): Promise<Exposition>;
}

/** All metrics, and the media type of the text. */
export interface Exposition {
  readonly text: string;
  readonly contentType: string;
}

/** Gauges of prom-client whose names end like counters' (its own deprecated forms); their twins by type stay. */
export const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/**
 * The figures of all versions. They are accumulated in typed arrays and handed to prom-client when scraped; its hash maps
 * of labels stay out of the data path.
 */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const wallMs = options.wallMs ?? Date.now;
  const versions = new Map<string, VersionFigures>();
  const infos = new Map<string, readonly [ModelVersionId, VersionInfo]>();
  const refused = new Float64Array(REASONS.length);
  let threads = (): ThreadFigures => ({ busySeconds: new Map(), ingress: 0, failures: 0 });
  const refusedParts = new Map<number, Float64Array>();

  const releases = new ReleaseFigures();
  const routePlaces = new RoutePlaces();

  const registry = new Registry();
  const figures = {
    refused(reason: number): number {
      let count = refused[reason] as number;
      for (const part of refusedParts.values()) count += part[reason] as number;
      return count;
    },
    devices: options.devices ?? (() => []),
    get versions() {
      return versions.values();
    },
    threads: () => threads(),
    releases,
    get infos() {
      return infos.values();
    },
  };
  const { feedback, capture, payloadLog, rollouts, readings, outlooks, state, traces, access, costs, budgets } =
    options;
  const ofBudgets = budgets === undefined ? [] : budgetFamilies(budgets);
  const ofCosts = costs === undefined ? [] : costFamilies(costs);
  const ofRollouts = rollouts === undefined ? [] : rolloutFamilies(rollouts);
  const ofAccess = access === undefined ? [] : accessFamilies(access);
  const ofTraces = traces === undefined ? [] : traceFamilies(traces);
  const ofCaptures = capture === undefined ? [] : captureFamilies(capture);
  const ofPayloads = payloadLog === undefined ? [] : payloadFamilies(payloadLog);
  const ofFeedback = feedback === undefined ? [] : feedbackFamilies(feedback);
  const families: Family[] = [
    ...penstockFamilies(figures),
    ...(outlooks === undefined ? [] : outlookFamilies(outlooks)),
    ...(options.sequences === undefined ? [] : sequenceFamilies(options.sequences)),
    ...(readings === undefined ? [] : deviceFamilies(readings)),
    ...ofFeedback,
    ...ofCaptures,
    ...ofTraces,
    ...ofAccess,
    ...ofPayloads,
    ...ofRollouts,
    ...(state === undefined ? [] : stateFamilies(state)),
    ...reuseFamilies(figures, options.responseCache ?? (() => undefined)),
    ...latencyFamilies(figures, routePlaces),
    ...(options.slos === undefined ? [] : sloFamilies(options.slos)),
    ...ofCosts,
    ...ofBudgets,
    ...tritonFamilies(figures, options.tritonLatencies ?? { counters: true, histograms: true }),
    ...(readings === undefined ? [] : tritonDeviceFamilies(readings)),
  ];
  for (const family of families) registry.registerMetric(family.registered);
  if (options.processMetrics ?? true) {
    collectDefaultMetrics({ register: registry });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
  }

  const version = (id: ModelVersionId): VersionFigures => {
    const key = versionKey(id);
    let known = versions.get(key);
    if (known === undefined) {
      known = new VersionFigures({ model: id.model, version: id.version }, wallMs);
      versions.set(key, known);
    }
    return known;
  };
  return {
    version,
    refused: refusedInto(refused),
    partOf: (id, thread) => version(id).partOf(thread),
    refusedPartOf(thread) {
      let part = refusedParts.get(thread);
      if (part === undefined) {
        part = new Float64Array(new SharedArrayBuffer(REASONS.length * Float64Array.BYTES_PER_ELEMENT));
        refusedParts.set(thread, part);
      }
      return part.buffer as SharedArrayBuffer;
    },
    statistics(id: ModelVersionId): VersionStatistics | undefined {
      return versions.get(versionKey(id))?.statistics();
    },
    watchThreads(read) {
      threads = read;
    },
    setVersionInfo(id: ModelVersionId, info: VersionInfo): void {
      infos.set(versionKey(id), [id, info]);
    },
    restartStatistics(id: ModelVersionId): void {
      versions.get(versionKey(id))?.restartStatistics();
    },
    retire(id: ModelVersionId): void {
      versions.delete(versionKey(id));
      infos.delete(versionKey(id));
      releases.retire(id);
    },
    facts: releases,
    versions: () => versions.values(),
    figuresOf: version,
    routePlaces,
    latency: (id) => {
      const known = versions.get(versionKey(id));
      return known && latencyOf(known);
    },
    families,
    scrape: () => registry.metrics(),
    async expose(accept) {
      if (!wantsOpenMetrics(accept)) return { text: await registry.metrics(), contentType: registry.contentType };
      const families = await registry.getMetricsAsJSON();
      return { text: openMetricsText(families as unknown as ExposedFamily[]), contentType: OPEN_METRICS_TYPE };
    },
  };
}

/** Counts refusals by the index of their reason in `REASONS`. */
export function refusedInto(counts: Float64Array): (reason: Reason) => void {
  return (reason) => {
    (counts[REASONS.indexOf(reason)] as number)++;
  };
}
