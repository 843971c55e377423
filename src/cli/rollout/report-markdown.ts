import type { RolloutReport } from './report.js';
import { entryText, number } from './rollout-text.js';

/** A report as Markdown: the outcome first, the evidence, then every decision in its order. */
export function reportMarkdown({ status, log }: RolloutReport): string {
  const { id, model, candidate, baseline, state, why, totals, plan } = status;
  const decisive = log.flatMap(({ entry }) =>
    entry.kind === 'moved' && (entry.to === 'rolling-back' || entry.to === 'promoting') ? [entry] : [],
  );
  const { guards } = decisive.at(-1) ?? status;
  return [
    `# Rollout ${id}: ${state}`,
    '',
    `Version ${candidate} of ${model} in the place of ${baseline}. ${sentence(decisive.at(-1)?.why ?? why)}`,
    '',
    `Seen: ${totals.candidate} requests of the candidate, ${totals.baseline} of the baseline, ${totals.compared} compared copies. ` +
      `Alpha ${plan.alpha} over ${plan.guards.length} guards.`,
    '',
    '## Guards',
    '',
    '| guard | verdict | candidate | baseline | difference | evidence of harm | explanation |',
    '|---|---|---|---|---|---|---|',
    ...guards.map((guard) => row(guard)),
    '',
    'Evidence of harm: natural logarithm of the e-value, and of its threshold. Differences are always-valid intervals.',
    '',
    '## Decisions',
    '',
    ...log.flatMap((line) => {
      const text = entryText(line);
      return text === undefined ? [] : [`- ${cell(text)}`];
    }),
    '',
    '## Plan',
    '',
    '```json',
    JSON.stringify(plan, undefined, 2),
    '```',
    '',
  ].join('\n');
}

function row({
  name,
  verdict,
  estimate,
  difference,
  logHarm,
  logHarmLimit,
  explanation,
}: RolloutReport['status']['guards'][number]) {
  const figure = (value: number | undefined | null) => (value === undefined || value === null ? '-' : number(value));
  const bounds = difference === undefined ? '-' : `${number(difference.lower)} .. ${number(difference.upper)}`;
  const cells = [
    name,
    verdict,
    figure(estimate.candidate),
    figure(estimate.baseline),
    bounds,
    `${figure(logHarm)} of ${figure(logHarmLimit)}`,
    explanation,
  ];
  return `| ${cells.map(cell).join(' | ')} |`;
}

/** Names are of whoever wrote the plan: they stay text. */
function cell(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|]/g, '\\$&').replaceAll(/\s*\n\s*/g, ' ');
}

function sentence(text: string): string {
  return text === '' ? '' : `${cell(text[0]!.toUpperCase() + text.slice(1))}.`;
}
