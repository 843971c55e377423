import type { DurationStatistic, ResponseKind, ResponseStatistics } from '../core/index.js';
import { FIGURES, RESPONSE_PLACES } from './request-figures.js';

/** Triton's figures of responses, of figures of requests: up to the last place that any response had. */
export function responseStatistics(slots: Float64Array): readonly ResponseStatistics[] {
  const places = Array.from({ length: RESPONSE_PLACES }, (_, place) => statisticsOf(slots, place));
  const last = places.findLastIndex(({ success, fail, emptyResponse, cancel }) =>
    [success, fail, emptyResponse, cancel].some(({ count }) => count > 0),
  );
  return places.slice(0, last + 1);
}

function statisticsOf(slots: Float64Array, place: number): ResponseStatistics {
  const of = (kind: ResponseKind): DurationStatistic => {
    const at = FIGURES.responses(place, kind);
    return { count: slots[at] as number, ns: slots[at + 1] as number };
  };
  const success = of('success');
  const times = FIGURES.responseNs(place);
  return {
    computeInfer: { count: success.count, ns: slots[times] as number },
    computeOutput: { count: success.count, ns: slots[times + 1] as number },
    success,
    fail: of('fail'),
    emptyResponse: of('empty'),
    cancel: of('cancel'),
  };
}
