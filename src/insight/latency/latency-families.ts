import type { Figures } from '../catalogue.js';
import { readers } from '../catalogue.js';
import { Family, histogramSamples } from '../family.js';
import { PRIORITY_PLACES } from '../request-figures.js';
import { countOf, sumNsOf, TIME_BOUNDS_NS } from '../time-histogram.js';
import type { RoutePlaces } from './route-places.js';

const SECONDS = TIME_BOUNDS_NS.map((ns) => ns / 1e9);
const ROUTE_DURATION = 'penstock_route_request_duration_seconds';
const PRIORITY_DURATION = 'penstock_priority_request_duration_seconds';

/** Times of requests by route and by priority, for models that have such; and slow requests. */
export function latencyFamilies(figures: Figures, places: RoutePlaces): Family[] {
  const { each } = readers(figures);
  return [
    new Family(
      ROUTE_DURATION,
      'histogram',
      'Time of answered requests by route, of models that have routes.',
      () =>
        each(function* (version, labels) {
          for (const [route, place] of places.of(version.id.model)) {
            const slots = version.routeHistogram(place);
            if (countOf(slots, 0) === 0) continue;
            yield* histogramSamples(ROUTE_DURATION, { ...labels, route }, SECONDS, slots, sumNsOf(slots, 0) / 1e9);
          }
        }),
      ['model', 'version', 'route'],
    ),
    new Family(
      'penstock_route_requests_total',
      'counter',
      'Requests by route and outcome, of models that have routes: answered, failed by the fault of the server, or otherwise.',
      () =>
        each(function* (version, labels) {
          for (const [route, place] of places.of(version.id.model)) {
            const success = countOf(version.routeHistogram(place), 0);
            const { faults: fault, others: refusal } = version.routeFailures(place);
            if (success + fault + refusal === 0) continue;
            for (const [outcome, value] of Object.entries({ success, fault, refusal }))
              yield { labels: { ...labels, route, outcome }, value };
          }
        }),
      ['model', 'version', 'route', 'outcome'],
    ),
    new Family(
      PRIORITY_DURATION,
      'histogram',
      'Time of answered requests by level of priority, of models that have such levels; 8 is that and all below.',
      () =>
        each(function* (version, labels) {
          for (let place = 1; place <= PRIORITY_PLACES; place++) {
            const slots = version.priorityHistogram(place);
            if (countOf(slots, 0) === 0) continue;
            const priority = String(place);
            yield* histogramSamples(
              PRIORITY_DURATION,
              { ...labels, priority },
              SECONDS,
              slots,
              sumNsOf(slots, 0) / 1e9,
            );
          }
        }),
      ['model', 'version', 'priority'],
    ),
    new Family(
      'penstock_slow_requests_total',
      'counter',
      'Requests slower than the log of slow ones asks for.',
      () => each((version, labels) => [{ labels, value: version.slowRequests().count }]),
      ['model', 'version'],
    ),
    new Family(
      'penstock_slow_requests_logged_total',
      'counter',
      'Those that have a line in the log.',
      () => each((version, labels) => [{ labels, value: version.slowRequests().told }]),
      ['model', 'version'],
    ),
  ];
}
