import { didYouMean } from '../../core/index.js';
import type { ConfigFault } from '../issues.js';
import type { WrittenPlan } from './schema.js';

type Step = WrittenPlan['steps'][number];
type Guard = WrittenPlan['guards'][number];

/** What a plan says that cannot be, beyond its fields one by one. */
export function planFaults(plan: WrittenPlan): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (path: ConfigFault['path'], message: string) => faults.push({ path, message });
  const { candidate, baseline, start } = plan;
  if (candidate === baseline) fault(['baseline'], `version ${baseline} is the candidate itself`);
  if (start === 'on-new-version' && candidate !== 'latest')
    fault(['candidate'], `'start: on-new-version' means the version that appears: expected latest, got ${candidate}`);
  checkSteps(plan, fault);
  checkGuards(plan, fault);
  checkTimes(plan, fault);
  return faults;
}

type Fault = (path: ConfigFault['path'], message: string) => void;

function checkSteps({ steps }: WrittenPlan, fault: Fault): void {
  let canaryBefore = 0;
  steps.forEach((step, i) => {
    if (step.kind === 'approval') return;
    if (step.kind === 'shadow') {
      if (canaryBefore > 0)
        fault(['steps', i], 'a step with copies only stands after a canary: expected before, or canary beside');
      if (step.shadowPercent === 0) fault(['steps', i, 'shadow'], 'a step without copies, or requests, tells nothing');
      return;
    }
    const { canaryPercent: percent } = step;
    if (percent <= canaryBefore)
      fault(
        ['steps', i, 'canary'],
        percent === 0
          ? 'expected more than 0 percent'
          : `expected more than the ${canaryBefore} percent of the step before`,
      );
    if (percent === 100 && canaryBefore === 0)
      fault(['steps', i, 'canary'], 'at 100 percent there is nothing to compare with: expected a smaller share before');
    if (percent === 100 && step.shadowPercent > 0)
      fault(['steps', i, 'shadow'], 'at 100 percent the baseline has no requests to copy');
    canaryBefore = Math.max(canaryBefore, percent);
  });
  if (steps.every(({ kind }) => kind === 'approval')) fault(['steps'], 'no step gives the candidate any request');
}

const shadowed = (step: Step) => step.kind !== 'approval' && step.shadowPercent > 0;
const compared = (step: Step) => step.kind === 'canary' && step.canaryPercent < 100;
const ofShadow = ({ metric }: Guard) => metric === 'shadow-agreement' || metric === 'shadow-distance';

function checkGuards({ steps, guards }: WrittenPlan, fault: Fault): void {
  const names = guards.map(({ name }) => name);
  guards.forEach((guard, i) => {
    if (names.indexOf(guard.name) < i) fault(['guards', i, 'name'], `two guards are named '${guard.name}'`);
    if (!steps.some(ofShadow(guard) ? shadowed : compared))
      fault(
        ['guards', i],
        `'${guard.name}' could never pass: no step ${ofShadow(guard) ? 'makes copies' : 'has a canary below 100 percent'}`,
      );
  });
  steps.forEach((step, i) => {
    if (step.kind === 'approval' || !Array.isArray(step.requires)) return;
    for (const [j, name] of step.requires.entries()) {
      const guard = guards.find((one) => one.name === name);
      if (guard === undefined) fault(['steps', i, 'requires', j], `no guard '${name}'${didYouMean(name, names)}`);
      else if (!steps.slice(0, i + 1).some(ofShadow(guard) ? shadowed : compared))
        fault(['steps', i, 'requires', j], `guard '${name}' learns nothing up to this step`);
    }
  });
}

function checkTimes({ steps, timeLimits }: WrittenPlan, fault: Fault): void {
  const { stepSeconds, totalSeconds } = timeLimits;
  let sum = 0;
  steps.forEach((step, i) => {
    if (step.kind === 'approval') return;
    sum += step.minSeconds;
    if (step.minSeconds >= stepSeconds)
      fault(['steps', i, 'minSeconds'], `the time limit of a step is ${stepSeconds} s: expected less`);
  });
  if (sum >= totalSeconds)
    fault(['timeLimits', 'totalSeconds'], `the steps take ${sum} s at least: expected more, got ${totalSeconds}`);
}
