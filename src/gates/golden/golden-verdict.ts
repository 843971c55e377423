import type { GoldenFigures, GoldenLimits } from '../../core/index.js';

/** What is against a version after a golden set; empty where nothing is. Without `serving` the limits beside it do not count. */
export function goldenFaults(
  candidate: GoldenFigures,
  serving: GoldenFigures | undefined,
  limits: GoldenLimits,
): readonly string[] {
  const faults: string[] = [];
  const share = rightShare(candidate);
  const { minRight, maxRightLoss, maxLatencyMs, maxLatencyRatio, maxDeviceMs, maxDeviceRatio } = limits;
  if (share < minRight) {
    faults.push(
      `${shown(candidate)} of the golden set are right, ${percent(minRight)} are asked for${first(candidate)}`,
    );
  }
  if (maxLatencyMs !== undefined && candidate.slowestMs > maxLatencyMs) {
    faults.push(`its slowest case took ${ms(candidate.slowestMs)}, at most ${ms(maxLatencyMs)} are allowed`);
  }
  if (maxDeviceMs !== undefined && candidate.deviceMs > maxDeviceMs) {
    faults.push(`the model takes ${ms(candidate.deviceMs)} for a case, at most ${ms(maxDeviceMs)} are allowed`);
  }
  if (serving === undefined) return faults;
  const beside = `version ${serving.version}, which serves`;
  if (maxRightLoss !== undefined && share < rightShare(serving) - maxRightLoss) {
    faults.push(
      `${shown(candidate)} of the golden set are right, ${shown(serving)} with ${beside}; at most ${percent(maxRightLoss)} less are allowed${first(candidate)}`,
    );
  }
  if (maxLatencyRatio !== undefined && candidate.meanMs > serving.meanMs * maxLatencyRatio) {
    faults.push(
      `a case takes ${ms(candidate.meanMs)}, ${ms(serving.meanMs)} with ${beside}; at most ${maxLatencyRatio} times that are allowed`,
    );
  }
  if (maxDeviceRatio !== undefined && candidate.deviceMs > serving.deviceMs * maxDeviceRatio) {
    faults.push(
      `the model takes ${ms(candidate.deviceMs)} for a case, ${ms(serving.deviceMs)} with ${beside}; at most ${maxDeviceRatio} times that are allowed`,
    );
  }
  return faults;
}

/** Whether a limit asks how the version that serves does. */
export function asksForServing(limits: GoldenLimits): boolean {
  const { maxRightLoss, maxLatencyRatio, maxDeviceRatio } = limits;
  return maxRightLoss !== undefined || maxLatencyRatio !== undefined || maxDeviceRatio !== undefined;
}

/** Of no case all are right. */
function rightShare({ cases, right }: GoldenFigures): number {
  return cases === 0 ? 1 : right / cases;
}

function shown({ cases, right }: GoldenFigures): string {
  return `${right} of ${cases} cases (${percent(cases === 0 ? 1 : right / cases)})`;
}

function first({ wrong }: GoldenFigures): string {
  const [one] = wrong;
  return one === undefined ? '' : `; first wrong: ${one.name}: ${one.why}`;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`;
}

function ms(value: number): string {
  return `${Number(value.toPrecision(3))} ms`;
}
