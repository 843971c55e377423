import { collectDefaultMetrics, Registry } from 'prom-client';
import {
  type DeviceStatus,
  type MetricsSink,
  type ModelVersionId,
  REASONS,
  type Reason,
  type StatisticsSource,
  type VersionStatistics,
  versionKey,
} from '../core/index.js';
import { penstockFamilies, type VersionInfo } from './catalogue.js';
import { tritonFamilies } from './triton-aliases.js';
import { VersionFigures } from './version-figures.js';

export interface MetricsOptions {
  /** Metrics of the process itself (event loop lag, heap, CPU); default true. */
  readonly processMetrics?: boolean;
  /** Wall clock in milliseconds, for `last_inference`. */
  readonly wallMs?: () => number;
  /** The devices and their states; none by default. */
  readonly devices?: () => readonly DeviceStatus[];
}

/** Where figures go, and where they are read. */
export interface Metrics extends MetricsSink, StatisticsSource {
  /** Tells state and providers of a version, loaded or not. */
  setVersionInfo(id: ModelVersionId, info: VersionInfo): void;
  /**
   * The version was loaded again: its protocol statistics begin anew, as Triton's do; its counters go on, as Triton's do.
   */
  restartStatistics(id: ModelVersionId): void;
  /** The version was unloaded: its series and statistics go. Who still holds its `VersionMetrics` writes into the void. */
  retire(id: ModelVersionId): void;
  /** All metrics in Prometheus' text form. */
  scrape(): Promise<string>;
  readonly contentType: string;
}

/** Gauges of prom-client whose names end like counters' (its own deprecated forms); their twins by type stay. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/**
 * The figures of all versions. They are accumulated in typed arrays and handed to prom-client when scraped; its hash maps
 * of labels stay out of the data path.
 */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const wallMs = options.wallMs ?? Date.now;
  const versions = new Map<string, VersionFigures>();
  const infos = new Map<string, readonly [ModelVersionId, VersionInfo]>();
  const refused = new Float64Array(REASONS.length);

  const registry = new Registry();
  const figures = {
    refused,
    devices: options.devices ?? (() => []),
    get versions() {
      return versions.values();
    },
    get infos() {
      return infos.values();
    },
  };
  for (const family of [...penstockFamilies(figures), ...tritonFamilies(figures)]) {
    registry.registerMetric(family.registered);
  }
  if (options.processMetrics ?? true) {
    collectDefaultMetrics({ register: registry });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
  }

  return {
    version(id: ModelVersionId): VersionFigures {
      const key = versionKey(id);
      let version = versions.get(key);
      if (version === undefined) {
        version = new VersionFigures({ model: id.model, version: id.version }, wallMs);
        versions.set(key, version);
      }
      return version;
    },
    refused(reason: Reason): void {
      (refused[REASONS.indexOf(reason)] as number)++;
    },
    statistics(id: ModelVersionId): VersionStatistics | undefined {
      return versions.get(versionKey(id))?.statistics();
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
    },
    scrape: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
