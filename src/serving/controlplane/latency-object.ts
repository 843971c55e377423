import { didYouMean, type ModelVersionId, ServingError, shownText, type VersionLatency } from '../../core/index.js';
import type { VersionLatencyObject } from './protocol-objects.js';

/** Forms in which a sketch can be asked for; `none`: only its quantiles. */
export type SketchForm = 'none' | 'json' | 'protobuf';

const FORMS: readonly SketchForm[] = ['json', 'protobuf'];

/** Empty: none. Throws MALFORMED_REQUEST. */
export function sketchForm(text: string): SketchForm {
  if (text === '') return 'none';
  const form = FORMS.find((one) => one === text);
  if (form !== undefined) return form;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `sketch: expected ${FORMS.join(' or ')}, came ${shownText(text)}${didYouMean(text, FORMS)}`,
  );
}

export function latencyObject(
  { version }: ModelVersionId,
  latency: VersionLatency | undefined,
  form: SketchForm,
): VersionLatencyObject {
  if (latency === undefined) return { version: String(version), count: 0 };
  const { count } = latency;
  return {
    version: String(version),
    count,
    ...(count === 0 ? {} : timesOf(latency)),
    ...(form === 'none' ? {} : { sketch: form === 'json' ? latency.sketch() : latency.sketchBase64() }),
  };
}

function timesOf({ count, sumSeconds, longestSeconds, quantileSeconds }: VersionLatency) {
  return {
    mean_ms: ms(sumSeconds / count),
    max_ms: ms(longestSeconds),
    p50_ms: ms(quantileSeconds(0.5)),
    p90_ms: ms(quantileSeconds(0.9)),
    p99_ms: ms(quantileSeconds(0.99)),
    p99_9_ms: ms(quantileSeconds(0.999)),
  };
}

/** To a nanosecond. */
function ms(seconds: number): number {
  return Math.round(seconds * 1e9) / 1e6;
}
