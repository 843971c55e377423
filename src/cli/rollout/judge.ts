import {
  type Direction,
  JUDGE_DEFAULTS,
  type Judgement,
  judgeCanary,
  type MetricJudgement,
} from '../../delivery/index.js';
import { EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { textTable } from '../text-table.js';
import { samplesOfDocument, samplesOfFiles } from './judge-samples.js';

export interface JudgeFlags {
  readonly direction: Direction;
  readonly confidence: number;
  readonly tolerance: number;
  readonly pass: number;
  readonly marginal: number;
  readonly json?: boolean;
}

/** Prints what Kayenta's judge says of samples; fails where that is not a pass. */
export function judge(file: string, experiment: string | undefined, flags: JudgeFlags, io: CliIo): number {
  const { direction, confidence, tolerance, pass, marginal } = flags;
  const { metrics, groupWeights } =
    experiment === undefined ? samplesOfDocument(file, direction) : samplesOfFiles(file, experiment, direction);
  const judgement = judgeCanary(metrics, { ...JUDGE_DEFAULTS, confidence, tolerance, pass, marginal, groupWeights });
  io.stdout.write(flags.json === true ? `${JSON.stringify(judgement, undefined, 2)}\n` : text(judgement, flags));
  return judgement.classification === 'pass' ? EXIT_CODES.done : EXIT_CODES.failed;
}

function text({ score, classification, metrics }: Judgement, { confidence }: JudgeFlags): string {
  const header = [
    'metric',
    'says',
    'control',
    'experiment',
    'ratio',
    'shift',
    `interval ${short(confidence * 100)} %`,
    'p',
  ];
  return (
    `${textTable(header, metrics.map(row))}\nscore ${short(score)}: ${classification}\n\n` +
    'Good for one look, at a time chosen before. Asked again and again, it stops more good versions.\n'
  );
}

function row({ name, classification, values, ratio, shift }: MetricJudgement): string[] {
  const interval = shift === undefined ? '-' : `${short(shift.interval.lower)} to ${short(shift.interval.upper)}`;
  return [
    name,
    classification,
    `${values.control}`,
    `${values.experiment}`,
    ratio === undefined ? '-' : short(ratio),
    shift === undefined ? '-' : short(shift.estimate),
    interval,
    shift === undefined ? '-' : short(shift.pValue),
  ];
}

function short(value: number): string {
  return `${Number(value.toPrecision(4))}`;
}
