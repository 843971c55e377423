import { escaped } from '../bench/svg-plot.js';
import { linePlot } from './line-plot.js';
import type { MeasuredSetting, TuningResult } from './tuning-result.js';
import { nameOf, shown, tuningText } from './tuning-text.js';

/** The result as one HTML page with plots, which needs no other file. */
export function tuningHtml(result: TuningResult): string {
  const { model, version, measured, chosen, expected, sloMs, suggestion } = result;
  const points = (setting: MeasuredSetting, of: (size: MeasuredSetting['sizes'][number]) => number | undefined) =>
    setting.sizes.flatMap((size) => {
      const y = of(size);
      return y === undefined ? [] : [[size.rows, y] as const];
    });
  const rates = measured.map((setting) => ({
    name: `${nameOf(setting)}${setting === chosen ? ' (best)' : ''}`,
    points: points(setting, ({ rowsPerSecond }) => rowsPerSecond),
  }));
  const times = [
    { name: 'mean', points: points(chosen, ({ meanMs }) => meanMs) },
    { name: '90 %', points: points(chosen, ({ upperMs }) => upperMs) },
    { name: '99 %', points: points(chosen, ({ p99Ms }) => p99Ms) },
  ].filter((series) => series.points.length > 0);
  const loads = [
    { name: 'p50', points: expected.map((load) => [load.offeredPerSecond, load.p50Ms] as const) },
    { name: 'p99', points: expected.map((load) => [load.offeredPerSecond, load.p99Ms] as const) },
  ];
  const plots = [
    linePlot({
      title: 'Rows a second, all instances at work',
      x: 'rows a batch',
      y: 'rows/s',
      series: rates,
      doubling: true,
    }),
    linePlot({
      title: `Time of an execution, ${nameOf(chosen)}`,
      x: 'rows a batch',
      y: 'ms',
      series: times,
      doubling: true,
    }),
    ...(expected.length === 0
      ? []
      : [
          linePlot({
            title: `Latency to be expected${sloMs === undefined ? '' : `, SLO ${shown(sloMs)} ms`}`,
            x: 'requests/s (simulated, Poisson)',
            y: 'ms',
            series: loads,
            doubling: false,
          }),
        ]),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escaped(model)} version ${version}: how to run it</title>
<style>
body { font-family: sans-serif; margin: 2em; max-width: 60em; }
pre { background: #f5f5f5; padding: 1em; overflow-x: auto; }
</style>
</head>
<body>
<h1>${escaped(model)} version ${version}</h1>
${plots.map((plot) => `<p>${plot}</p>`).join('\n')}
<h2>Figures</h2>
<pre>${escaped(tuningText(result))}</pre>
${suggestion === undefined ? '' : `<h2>Config (config.yaml)</h2>\n<pre>${escaped(suggestion.yaml)}</pre>`}
</body>
</html>
`;
}
