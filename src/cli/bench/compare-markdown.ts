import type { BenchResult } from './bench-result.js';
import type { ComparedFigure, Comparison, Verdict } from './comparison.js';
import { METRICS } from './thresholds.js';

/** What a verdict is called in reports. */
export const VERDICT_WORDS: Readonly<Record<Verdict, string>> = {
  worse: 'WORSE',
  better: 'better',
  same: 'same',
  unclear: 'unclear: more rounds needed',
  shown: '-',
};

/** The comparison as Markdown: verdict, both subjects, a table of figures. */
export function comparisonMarkdown(baseline: BenchResult, candidate: BenchResult, comparison: Comparison): string {
  const rows = comparison.figures.map((figure) => `| ${figureCells(figure).join(' | ')} |`);
  return [
    `# Bench comparison: ${comparison.passed ? 'passed' : 'FAILED'}`,
    '',
    `- baseline: ${subjectLine(baseline)}`,
    `- candidate: ${subjectLine(candidate)}`,
    ...comparison.problems.map((problem) => `- **${problem}**`),
    '',
    `| ${FIGURE_HEADER.join(' | ')} |`,
    `|${FIGURE_HEADER.map(() => '---').join('|')}|`,
    ...rows,
    '',
  ].join('\n');
}

export const FIGURE_HEADER = [
  'scenario',
  'figure',
  'baseline',
  'candidate',
  'ratio',
  'interval',
  'rank test p',
  'may be worse by',
  'verdict',
];

/** One figure's cells, as texts. */
export function figureCells(figure: ComparedFigure): string[] {
  const { scenario, metric, baseline, candidate, estimate, pValue, tolerance, verdict } = figure;
  return [
    scenario,
    METRICS[metric].title,
    rounded(baseline),
    rounded(candidate),
    estimate.ratio.toFixed(3),
    `${estimate.low.toFixed(3)} .. ${estimate.high.toFixed(3)}`,
    pValue < 0.001 ? '< 0.001' : pValue.toFixed(3),
    tolerance === undefined ? '-' : `${(tolerance * 100).toFixed(0)} %`,
    VERDICT_WORDS[verdict],
  ];
}

/** Subject, commit, machine and date in a line. */
export function subjectLine({ subject, commit, machine, versions, date }: BenchResult): string {
  const with_ = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${subject}, ${commit ?? 'no commit'}, ${machine.cores} x ${machine.cpu}, ${with_.join(', ')}, load before ${machine.loadBefore.toFixed(2)}, ${date}`;
}

function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
