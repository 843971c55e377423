import type { TracePoint } from '../../delivery/index.js';
import { escaped } from '../bench/svg-plot.js';
import { evidencePlot } from './evidence-plot.js';
import type { RolloutReport } from './report.js';
import { reportMarkdown } from './report-markdown.js';
import { entryText, number, rolloutText } from './rollout-text.js';

/** A report as one HTML page with the e-process and the confidence sequence of each guard; it needs no other file. */
export function reportHtml(report: RolloutReport, trace: readonly TracePoint[]): string {
  const { status, log } = report;
  const marks = log.flatMap(({ atMs, entry }) =>
    entry.kind === 'moved' ? [{ atMs, name: entry.to === 'progressing' ? `step ${entry.step + 1}` : entry.to }] : [],
  );
  const plots = status.guards.map(({ name }) => guardPlots(name, trace, marks));
  const decisions = log.map(entryText).filter((text) => text !== undefined);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Rollout ${escaped(status.id)}: ${status.state}</title>
<style>
body { font-family: sans-serif; margin: 2em; max-width: 60em; }
pre { background: #f5f5f5; padding: 1em; overflow-x: auto; white-space: pre-wrap; }
</style>
</head>
<body>
<h1>Rollout ${escaped(status.id)}: ${status.state}</h1>
<pre>${escaped(rolloutText(status))}</pre>
<h2>Evidence</h2>
<p>The e-process is a running score that a candidate no worse than the baseline lets reach its limit with a chance of at most its part
of alpha (${number(status.plan.alpha)} in all), whenever one looks. The band is an interval that always holds the true difference, but for that chance.</p>
${plots.join('\n')}
<h2>Decisions</h2>
<pre>${escaped(decisions.join('\n'))}</pre>
<h2>Report</h2>
<pre>${escaped(reportMarkdown(report))}</pre>
</body>
</html>
`;
}

function guardPlots(
  name: string,
  trace: readonly TracePoint[],
  marks: readonly { atMs: number; name: string }[],
): string {
  const seen = trace.flatMap(({ atMs, guards }) => {
    const evidence = guards.find((guard) => guard.name === name);
    return evidence === undefined ? [] : [{ atMs, evidence }];
  });
  const last = seen.at(-1)?.evidence;
  if (last === undefined) return `<h3>${escaped(name)}</h3><p>Nothing was seen.</p>`;
  const process = evidencePlot({
    title: 'e-process for harm',
    y: 'ln e-value',
    lines: [{ name: 'evidence of harm', points: seen.map(({ atMs, evidence }) => [atMs, evidence.logHarm]) }],
    limit: { name: 'stops here', value: last.logHarmLimit },
    marks,
  });
  const estimates = seen.flatMap(({ atMs, evidence: { estimate } }) =>
    estimate.candidate === undefined || estimate.baseline === undefined
      ? []
      : [[atMs, estimate.candidate - estimate.baseline] as const],
  );
  const sequence = evidencePlot({
    title: 'candidate less baseline',
    y: 'difference',
    lines: [{ name: 'estimate', points: estimates }],
    band: seen.flatMap(({ atMs, evidence: { difference } }) =>
      difference === undefined ? [] : [[atMs, difference.lower, difference.upper] as const],
    ),
    marks,
  });
  return `<h3>${escaped(name)}: ${last.verdict}</h3>\n<p>${escaped(last.explanation)}</p>\n<p>${process}</p>\n<p>${sequence}</p>`;
}
