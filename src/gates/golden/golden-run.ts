import { compareOutputs, summarise } from '../../comparison/index.js';
import type { ModelGates } from '../../config/index.js';
import {
  bytesElements,
  type Clock,
  type GoldenFigures,
  type ModelFiles,
  type ModelSpec,
  type ProbeAnswer,
  type ProbeTarget,
  ServingError,
  type Tensor,
  toServingError,
} from '../../core/index.js';
import { type Expected, type GoldenCase, readGoldenCase } from './golden-case.js';

/** A set to run: names in a folder, read one by one. */
export interface GoldenSet {
  readonly files: ModelFiles;
  readonly folder: string;
  readonly names: readonly string[];
}

/** Cases that are told one by one. */
const MOST_TOLD = 10;
/** All of an answer is compared. */
const WHOLE = { elements: Number.MAX_SAFE_INTEGER, ranked: 0 };

type Settings = ModelGates['golden'];

/**
 * Runs every case of a set on a loaded version, one after another. Rejects with MODEL_INVALID where a case cannot be read, or
 * the time for the set is over; a case that the version refuses or fails is a wrong one.
 */
export async function runGoldenSet(
  set: GoldenSet,
  target: ProbeTarget,
  settings: Settings,
  clock: Clock,
): Promise<GoldenFigures> {
  const endNs = clock.nowNs() + settings.maxSeconds * 1e9;
  const wrong: { name: string; why: string }[] = [];
  let right = 0;
  let slowestMs = 0;
  let latencyMs = 0;
  let deviceMs = 0;
  let answered = 0;
  for (const name of set.names) {
    const golden = await readGoldenCase(set.files, set.folder, name);
    const ran = await runCase(golden, target, settings, clock, endNs);
    if (ran.why === undefined) right++;
    else if (wrong.length < MOST_TOLD) wrong.push({ name, why: ran.why });
    if (ran.latencyMs === undefined) continue;
    answered++;
    slowestMs = Math.max(slowestMs, ran.latencyMs);
    latencyMs += ran.latencyMs;
    deviceMs += ran.deviceMs;
  }
  const mean = (sum: number) => (answered === 0 ? 0 : sum / answered);
  return {
    version: target.spec.id.version,
    cases: set.names.length,
    right,
    slowestMs,
    meanMs: mean(latencyMs),
    deviceMs: mean(deviceMs),
    wrong,
  };
}

type CaseRun =
  | { readonly why: string | undefined; readonly latencyMs: number; readonly deviceMs: number }
  | { readonly why: string; readonly latencyMs: undefined };

async function runCase(
  golden: GoldenCase,
  target: ProbeTarget,
  settings: Settings,
  clock: Clock,
  endNs: number,
): Promise<CaseRun> {
  const answers: ProbeAnswer[] = [];
  for (let run = 0; run < settings.runs; run++) {
    if (clock.nowNs() > endNs) {
      throw new ServingError('MODEL_INVALID', `golden set: it did not end within ${settings.maxSeconds} s`);
    }
    try {
      answers.push(await target.probe(golden.inputs));
    } catch (thrown) {
      return { why: toServingError(thrown).message, latencyMs: undefined };
    }
  }
  const whys = answers.map(({ outputs }) => whyWrong(golden.expected, outputs, target.spec, settings));
  return {
    why: whys.find((why) => why !== undefined),
    latencyMs: median(answers.map((answer) => answer.latencyNs)) / 1e6,
    deviceMs: median(answers.map((answer) => answer.computeNs)) / 1e6,
  };
}

/** Undefined: the answer is right. */
function whyWrong(
  expected: Expected,
  outputs: readonly Tensor[],
  spec: ModelSpec,
  settings: Settings,
): string | undefined {
  if (expected.kind === 'label') return whyOtherLabel(expected.label, outputs, spec);
  const named = expected.outputs.map(({ name }) => name);
  const missing = named.find((name) => !outputs.some((output) => output.name === name));
  if (missing !== undefined) return `the model has no output '${missing}'`;
  const looked = outputs.filter((output) => named.includes(output.name));
  const tolerances = {
    absolute: expected.tolerance.absolute ?? settings.tolerance.absolute,
    relative: expected.tolerance.relative ?? settings.tolerance.relative,
  };
  const { agrees, maxAbsoluteError, maxRelativeError } = compareOutputs(
    expected.outputs,
    looked,
    spec.maxBatchSize > 0,
    tolerances,
    WHOLE,
  );
  if (agrees) return undefined;
  return `its outputs differ: by at most ${figure(maxAbsoluteError)}, relative ${figure(maxRelativeError)}`;
}

function whyOtherLabel(label: number | string, outputs: readonly Tensor[], spec: ModelSpec): string | undefined {
  const texts = outputs.find(({ dataType }) => dataType === 'BYTES');
  const top = summarise(outputs, spec.maxBatchSize > 0, Number.MAX_SAFE_INTEGER)?.topIndex;
  if (top === undefined) {
    const [first] = texts === undefined ? [] : bytesElements(texts.data);
    const text = first === undefined ? undefined : new TextDecoder().decode(first);
    return text === String(label)
      ? undefined
      : `expected '${label}', it says ${text === undefined ? 'nothing' : `'${text}'`}`;
  }
  if (typeof label === 'number') return label === top ? undefined : `expected class ${label}, it says ${top}`;
  const names = spec.outputs.find(({ dataType }) => dataType !== 'BYTES')?.labels;
  if (names === undefined) return `the model has no names of classes to find '${label}' among`;
  return names[top] === label ? undefined : `expected '${label}', it says '${names[top] ?? top}'`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
}

function figure(value: number): string {
  return value >= Number.MAX_VALUE ? 'a number to none' : value.toPrecision(3);
}
