import {
  type CarrierUse,
  type DeviceStatus,
  type MemoryUse,
  type ModelVersionId,
  PROTOCOL_STATES,
  type ProviderShares,
  REASONS,
  ROUTE_EVENTS,
  spendsErrorBudget,
  type VersionState,
} from '../core/index.js';
import { Family, histogramSamples, type Sample } from './family.js';
import { type ReleaseFigures, SHADOW_OUTCOMES } from './release-figures.js';
import { STAGES } from './request-figures.js';
import { countOf, sumNsOf, TIME_BOUNDS_NS } from './time-histogram.js';
import { PADDING_BOUNDS, type VersionFigures } from './version-figures.js';

/** What is told of a version beside its requests. */
export interface VersionInfo {
  /** Default `ready`. */
  readonly state?: VersionState;
  /** Empty where nothing is opened. */
  readonly providers: ProviderShares;
  /** How runs are carried at the time of the call. */
  readonly carriers?: () => readonly CarrierUse[];
  /** What it holds of memory at the time of the call. */
  readonly memory?: () => readonly MemoryUse[];
}

/** Threads that handle requests, the control thread included. */
export interface ThreadFigures {
  /** How long the event loop of each has been busy, by name. */
  readonly busySeconds: ReadonlyMap<string, number>;
  /** Ingress threads that serve. */
  readonly ingress: number;
  /** Ingress threads that ended by a fault so far. */
  readonly failures: number;
}

/** What the families read when they are scraped. */
export interface Figures {
  readonly versions: Iterable<VersionFigures>;
  readonly infos: Iterable<readonly [ModelVersionId, VersionInfo]>;
  /** Requests refused before they named a version, by index of `REASONS`. */
  readonly refused: (reason: number) => number;
  readonly threads: () => ThreadFigures;
  readonly devices: () => readonly DeviceStatus[];
  readonly releases: ReleaseFigures;
}

const MEMORY_NAMES: Readonly<Record<MemoryUse['type'], (id: number) => string>> = {
  CPU: () => 'cpu',
  CPU_PINNED: () => 'cpu_pinned',
  GPU: (id) => `cuda:${id}`,
};

const SECONDS = TIME_BOUNDS_NS.map((ns) => ns / 1e9);
/** Rows of an execution. */
const ROW_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** Every metric of our own. A name, label or unit in here is an interface: changing one is a breaking change. */
export function penstockFamilies(figures: Figures): Family[] {
  const { each, eachInfo } = readers(figures);
  const stageName = 'penstock_request_stage_duration_seconds';
  const totalName = 'penstock_request_duration_seconds';
  const firstName = 'penstock_first_response_seconds';
  const rowsName = 'penstock_batch_rows';
  const paddingName = 'penstock_batch_padding_ratio';
  return [
    new Family(
      'penstock_requests_total',
      'counter',
      'Requests by outcome; reason is OK or why one failed.',
      () =>
        each(function* (version, labels) {
          yield { labels: { ...labels, outcome: 'success', reason: 'OK' }, value: version.successes };
          for (const reason of REASONS) {
            const value = version.failures(reason);
            // Those that objectives go by are there from the start: a rate sees the step from 0 to the first.
            if (value > 0 || spendsErrorBudget(reason))
              yield { labels: { ...labels, outcome: 'failure', reason }, value };
          }
        }),
      ['model', 'version', 'outcome', 'reason'],
    ),
    new Family(
      'penstock_route_events_total',
      'counter',
      'Requests that a filter answered, that were tried in the second place, or that made a version leave its splits.',
      () =>
        each(function* (version, labels) {
          for (const event of ROUTE_EVENTS) {
            const value = version.routeEvents(event);
            if (value > 0) yield { labels: { ...labels, event }, value };
          }
        }),
      ['model', 'version', 'event'],
    ),
    new Family(
      'penstock_refused_requests_total',
      'counter',
      'Requests refused before they named a known model version, by reason.',
      function* () {
        for (let i = 0; i < REASONS.length; i++) {
          const value = figures.refused(i);
          if (value > 0) yield { labels: { reason: REASONS[i] as string }, value };
        }
      },
      ['reason'],
    ),
    new Family(
      totalName,
      'histogram',
      'Time of answered requests from first byte to encoded reply.',
      () =>
        each((version, labels) => {
          const slots = version.stageHistogram('total');
          return histogramSamples(totalName, labels, SECONDS, slots, sumNsOf(slots, 0) / 1e9, version.exemplars());
        }),
      ['model', 'version'],
    ),
    new Family(
      firstName,
      'histogram',
      'Time from the queue to the first response, of decoupled models.',
      () =>
        each((version, labels) => {
          const slots = version.firstResponses();
          return countOf(slots, 0) === 0
            ? []
            : histogramSamples(firstName, labels, SECONDS, slots, sumNsOf(slots, 0) / 1e9);
        }),
      ['model', 'version'],
    ),
    new Family(
      stageName,
      'histogram',
      'Time of answered requests by stage of the data path.',
      () =>
        each(function* (version, labels) {
          for (const stage of STAGES) {
            if (stage === 'total') continue;
            const slots = version.stageHistogram(stage);
            yield* histogramSamples(stageName, { ...labels, stage }, SECONDS, slots, sumNsOf(slots, 0) / 1e9);
          }
        }),
      ['model', 'version', 'stage'],
    ),
    new Family(
      'penstock_queue_depth',
      'gauge',
      'Requests waiting for an instance.',
      () => each((version, labels) => [{ labels, value: version.queueDepth }]),
      ['model', 'version'],
    ),
    new Family(
      'penstock_inferences_total',
      'counter',
      'Rows of answered requests.',
      () => each((version, labels) => [{ labels, value: version.rows }]),
      ['model', 'version'],
    ),
    new Family(
      'penstock_executions_total',
      'counter',
      'Executions of the model that ended well.',
      () => each((version, labels) => [{ labels, value: version.executions.count }]),
      ['model', 'version'],
    ),
    new Family(
      'penstock_execution_seconds_total',
      'counter',
      'Time of these executions, from gather to scatter; over the slots it is the utilisation of the instances.',
      () => each((version, labels) => [{ labels, value: version.executions.busyNs / 1e9 }]),
      ['model', 'version'],
    ),
    new Family(
      rowsName,
      'histogram',
      'Rows of an execution.',
      () =>
        each((version, labels) => {
          const buckets = new Float64Array(ROW_BOUNDS.length + 1);
          let sum = 0;
          for (const [rows, executions] of version.executions.byRows()) {
            const at = ROW_BOUNDS.findIndex((bound) => rows <= bound);
            (buckets[at === -1 ? ROW_BOUNDS.length : at] as number) += executions;
            sum += rows * executions;
          }
          return histogramSamples(rowsName, labels, ROW_BOUNDS, buckets, sum);
        }),
      ['model', 'version'],
    ),
    new Family(
      paddingName,
      'histogram',
      'Share of an execution that was padding: dummy rows, and elements beyond the length of their request.',
      () =>
        each((version, labels) =>
          histogramSamples(paddingName, labels, PADDING_BOUNDS, version.padding, version.paddingSum),
        ),
      ['model', 'version'],
    ),
    new Family(
      'penstock_event_loop_busy_seconds_total',
      'counter',
      'Time that the event loop of a thread was busy: control, or an ingress thread.',
      function* () {
        for (const [thread, value] of figures.threads().busySeconds) yield { labels: { thread }, value };
      },
      ['thread'],
    ),
    new Family('penstock_ingress_threads', 'gauge', 'Ingress threads that serve; 0 = the control thread does.', () => [
      { labels: {}, value: figures.threads().ingress },
    ]),
    new Family('penstock_ingress_thread_failures_total', 'counter', 'Ingress threads that ended by a fault.', () => [
      { labels: {}, value: figures.threads().failures },
    ]),
    new Family(
      'penstock_shadow_requests_total',
      'counter',
      'Copies of requests sent to a candidate for comparison, by outcome: its answer agreed, differed, it failed, or the copy was dropped.',
      function* () {
        for (const { id, outcomes } of figures.releases.versions)
          for (const outcome of SHADOW_OUTCOMES)
            yield { labels: { ...labelsOf(id), outcome }, value: outcomes[outcome] };
      },
      ['model', 'version', 'outcome'],
    ),
    new Family(
      'penstock_shadow_device_seconds_total',
      'counter',
      'Time on the device of such copies.',
      function* () {
        for (const { id, deviceNs } of figures.releases.versions) yield { labels: labelsOf(id), value: deviceNs / 1e9 };
      },
      ['model', 'version'],
    ),
    new Family(
      'penstock_release_facts_lost_total',
      'counter',
      'Outcomes of requests that ingress threads could not pass on to rollouts.',
      () => [{ labels: {}, value: figures.releases.lostFacts }],
    ),
    new Family(
      'penstock_model_ready',
      'gauge',
      'Whether the model version takes requests (1) or not (0).',
      () => eachInfo((info, labels) => [{ labels, value: PROTOCOL_STATES[stateOf(info)] === 'READY' ? 1 : 0 }]),
      ['model', 'version'],
    ),
    new Family(
      'penstock_model_state',
      'gauge',
      'State of the model version: 1 for the one that it is in.',
      () => eachInfo((info, labels) => [{ labels: { ...labels, state: stateOf(info) }, value: 1 }]),
      ['model', 'version', 'state'],
    ),
    new Family(
      'penstock_device_state',
      'gauge',
      'State of the device: 1 for the one that it is in.',
      () => figures.devices().map(({ device, state }) => ({ labels: { device, state }, value: 1 })),
      ['device', 'state'],
    ),
    new Family(
      'penstock_device_faults_total',
      'counter',
      'Executions that failed for the sake of the device: it had no memory left, or is lost.',
      () =>
        figures
          .devices()
          .flatMap(({ device, faults }) =>
            Object.entries(faults).map(([fault, value]) => ({ labels: { device, fault }, value })),
          ),
      ['device', 'fault'],
    ),
    new Family(
      'penstock_model_provider_ratio',
      'gauge',
      'Share of the graph nodes of the model version that an execution provider runs.',
      () =>
        eachInfo((info, labels) =>
          Object.entries(info.providers).map(([provider, value]) => ({ labels: { ...labels, provider }, value })),
        ),
      ['model', 'version', 'provider'],
    ),
    new Family(
      'penstock_model_carrier',
      'gauge',
      'How runs of the model version are carried on a device: 1 for the carrier that it has now.',
      () =>
        eachInfo((info, labels) =>
          (info.carriers?.() ?? []).map(({ device, carrier }) => ({
            labels: { ...labels, device, carrier },
            value: 1,
          })),
        ),
      ['model', 'version', 'device', 'carrier'],
    ),
    new Family(
      'penstock_model_memory_bytes',
      'gauge',
      'Memory that the model version has taken: arenas of ONNX Runtime, weights included, and weights that it maps from a file; heaps of scripts. Absent where its backend does not tell.',
      () =>
        eachInfo((info, labels) =>
          (info.memory?.() ?? []).map(({ type, id, bytes }) => ({
            labels: { ...labels, device: MEMORY_NAMES[type](id) },
            value: bytes,
          })),
        ),
      ['model', 'version', 'device'],
    ),
  ];
}

/** Walks over versions with the labels that all their samples have. */
export function readers(figures: Figures) {
  type Labels = Readonly<Record<string, string>>;
  return {
    *each(samples: (version: VersionFigures, labels: Labels) => Iterable<Sample>): Iterable<Sample> {
      for (const version of figures.versions) yield* samples(version, labelsOf(version.id));
    },
    *eachInfo(samples: (info: VersionInfo, labels: Labels) => Iterable<Sample>): Iterable<Sample> {
      for (const [id, info] of figures.infos) yield* samples(info, labelsOf(id));
    },
  };
}

function stateOf(info: VersionInfo): VersionState {
  return info.state ?? 'ready';
}

function labelsOf(id: ModelVersionId): Readonly<Record<string, string>> {
  return { model: id.model, version: String(id.version) };
}
