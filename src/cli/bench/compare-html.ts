import type { BenchResult } from './bench-result.js';
import { FIGURE_HEADER, figureCells, subjectLine } from './compare-markdown.js';
import type { Comparison } from './comparison.js';
import { escaped, latencyPlot, ratioPlot } from './svg-plot.js';

/** The comparison as one HTML page with plots, which needs no other file. */
export function comparisonHtml(baseline: BenchResult, candidate: BenchResult, comparison: Comparison): string {
  const cells = (tag: string, texts: readonly string[]) =>
    texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join('');
  const rows = comparison.figures.map(
    (figure) => `<tr class="${figure.verdict}">${cells('td', figureCells(figure))}</tr>`,
  );
  const curves = baseline.scenarios.flatMap((before) => {
    const after = candidate.scenarios.find(({ name }) => name === before.name);
    if (after === undefined || before.latency === undefined || after.latency === undefined) return [];
    const plot = latencyPlot([
      { name: 'baseline', latency: before.latency },
      { name: 'candidate', latency: after.latency },
    ]);
    return [`<h3>${escaped(before.name)}</h3>${plot}`];
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Bench comparison</title>
<style>
body { font-family: sans-serif; margin: 2em; max-width: 80em; }
table { border-collapse: collapse; }
td, th { border: 1px solid #cccccc; padding: 0.2em 0.6em; text-align: right; }
td:first-child, td:nth-child(2) { text-align: left; }
.worse { background: #ffdddd; }
.better { background: #ddffdd; }
.unclear { background: #ffffdd; }
</style>
</head>
<body>
<h1>Bench comparison: ${comparison.passed ? 'passed' : 'FAILED'}</h1>
<p>Baseline: ${escaped(subjectLine(baseline))}</p>
<p>Candidate: ${escaped(subjectLine(candidate))}</p>
${comparison.problems.map((problem) => `<p><strong>${escaped(problem)}</strong></p>`).join('\n')}
<table>
<tr>${cells('th', FIGURE_HEADER)}</tr>
${rows.join('\n')}
</table>
<h2>Ratios, candidate over baseline</h2>
${ratioPlot(comparison.figures)}
<h2>Latency by percentile</h2>
${curves.join('\n')}
</body>
</html>
`;
}
