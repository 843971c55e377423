import { LATENCY_BOUNDS_MS, type ModelVersionId, type Slo } from '../../core/index.js';
import type { RoutePlaces } from '../latency/route-places.js';
import { SKETCH_BINS, sketchBoundS } from '../latency/sketch-bins.js';
import { countOf } from '../time-histogram.js';
import type { VersionFigures } from '../version-figures.js';
import type { EventSums } from './window-sums.js';

/** Reads the events of an SLO off the figures of a version: sums since the version was first loaded. */
export type ReadEvents = (figures: VersionFigures) => EventSums;

/** Undefined for objectives that are not counted by requests. */
export function eventsOf({ objective, route }: Slo, places: RoutePlaces): ReadEvents | undefined {
  if (objective.kind === 'availability') return route === undefined ? answered : answeredBy(route, places);
  if (objective.kind !== 'latency') return undefined;
  return route === undefined ? fast(objective.underMs) : fastBy(route, objective.underMs, places);
}

/** Whether a version is one that an SLO is about. */
export function covers({ model, version }: Pick<Slo, 'model' | 'version'>, id: ModelVersionId): boolean {
  return (model === undefined || model === id.model) && (version === undefined || version === id.version);
}

function answered(figures: VersionFigures): EventSums {
  const good = figures.successes;
  return { good, events: good + figures.faults };
}

function answeredBy(route: string, places: RoutePlaces): ReadEvents {
  return (figures) => {
    const place = places.placeOf(figures.id.model, route);
    if (place === undefined) return NOTHING;
    const good = countOf(figures.routeHistogram(place), 0);
    return { good, events: good + figures.routeFailures(place).faults };
  };
}

/** By the sketch: the limit is that of a bin, at most 1 % away. */
function fast(underMs: number): ReadEvents {
  const bins = binsUnder(underMs);
  return (figures) => {
    const { bins: counts, count } = figures.latency();
    let good = 0;
    for (let bin = 0; bin < bins; bin++) good += counts[bin] as number;
    return { good, events: count };
  };
}

function binsUnder(underMs: number): number {
  let bins = 0;
  while (bins < SKETCH_BINS && sketchBoundS(bins) * 1e3 <= underMs) bins++;
  if (bins === 0 || bins === SKETCH_BINS) return bins;
  // The bound above, where it is the nearer one.
  const [below, above] = [sketchBoundS(bins - 1) * 1e3, sketchBoundS(bins) * 1e3];
  return above / underMs < underMs / below ? bins + 1 : bins;
}

/** By a histogram, of which the limit is a bound. */
function fastBy(route: string, underMs: number, places: RoutePlaces): ReadEvents {
  const buckets = LATENCY_BOUNDS_MS.indexOf(underMs) + 1;
  return (figures) => {
    const place = places.placeOf(figures.id.model, route);
    if (place === undefined) return NOTHING;
    const slots = figures.routeHistogram(place);
    let good = 0;
    for (let bucket = 0; bucket < buckets; bucket++) good += slots[bucket] as number;
    return { good, events: countOf(slots, 0) };
  };
}

const NOTHING: EventSums = Object.freeze({ good: 0, events: 0 });
