import type { Guard } from '../guard.js';
import type { Calibration, GuardSpec } from '../guard-spec.js';
import { costGuard } from './cost-guard.js';
import { errorRateGuard } from './error-rate-guard.js';
import { kpiGuard } from './kpi-guard.js';
import { latencyGuard, latencyLimitNs } from './latency-guard.js';
import { outputDriftGuard } from './output-drift-guard.js';
import { qualityGuard } from './quality-guard.js';
import { shadowAgreementGuard } from './shadow-agreement-guard.js';
import { shadowDistanceGuard } from './shadow-distance-guard.js';

/**
 * The guards of a plan, fresh. Each has a part of `alpha` by its weight, so that all together stop a candidate that is worse in
 * nothing with a chance of at most `alpha` (Bonferroni). Throws where there is a latency guard and no calibration yet.
 */
export function createGuards(
  specs: readonly GuardSpec[],
  alpha: number,
  calibration: Calibration | undefined,
): readonly Guard[] {
  const weights = specs.reduce((sum, { weight }) => sum + weight, 0);
  return specs.map((spec) => createGuard(spec, (alpha * spec.weight) / weights, calibration));
}

function createGuard(spec: GuardSpec, alpha: number, calibration: Calibration | undefined): Guard {
  switch (spec.metric) {
    case 'error-rate':
      return errorRateGuard(spec.name, { ...spec, alpha });
    case 'latency': {
      if (calibration === undefined)
        throw new Error(
          `guard '${spec.name}' needs the times of the baseline before it can watch those of the candidate`,
        );
      const limitNs = latencyLimitNs(calibration.latencyLimitsNs, spec.quantile);
      return latencyGuard(spec.name, { ...spec, alpha }, spec.quantile, limitNs, spec.harmRatio);
    }
    case 'cost':
      return costGuard(spec.name, { ...spec, alpha });
    case 'output-drift':
      return outputDriftGuard(spec.name, { ...spec, alpha });
    case 'shadow-agreement':
      return shadowAgreementGuard(spec.name, spec.of, { ...spec, alpha });
    case 'shadow-distance':
      return shadowDistanceGuard(spec.name, spec.of, { ...spec, alpha });
    case 'quality':
      return qualityGuard(spec.name, { ...spec, alpha }, spec.feedback);
    case 'kpi':
      return kpiGuard(spec.name, { ...spec, alpha });
  }
}
