// @ts-check
// Panels of one look. Every query is made by `query`, on the data source of the dashboard, with exemplars.
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import { RowBuilder, ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as HeatmapBuilder } from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** The data source that the reader of a dashboard chose. */
export const SOURCE = { type: 'prometheus', uid: `\${datasource}` };

/**
 * A question to Prometheus and the legend of its answers.
 * @typedef {readonly [expr: string, legend: string]} Question
 * @typedef {{ unit?: string, description: string, width?: number, height?: number, stacked?: boolean, bars?: boolean, max?: number, limit?: number }} Look
 */

/** @param {number} at @param {Question} question */
function query(at, [expr, legend]) {
  return new DataqueryBuilder()
    .refId(String.fromCharCode(65 + at))
    .datasource(SOURCE)
    .expr(expr)
    .legendFormat(legend)
    .exemplar(true)
    .range();
}

/** @param {string} title */
export function row(title) {
  return new RowBuilder(title);
}

/** Lines over time. `limit`: a line at that value, above it all is red. @param {string} title @param {Look} look @param {Question[]} questions */
export function lines(title, look, ...questions) {
  const panel = new TimeseriesBuilder()
    .title(title)
    .description(look.description)
    .datasource(SOURCE)
    .unit(look.unit ?? 'short')
    .min(0)
    .span(look.width ?? 12)
    .height(look.height ?? 8)
    .drawStyle(look.bars === true ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .lineWidth(1)
    .fillOpacity(look.stacked === true || look.bars === true ? 40 : 8)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (look.max !== undefined) panel.max(look.max);
  if (look.stacked === true) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
  if (look.limit !== undefined) panel.thresholds(redFrom(look.limit));
  for (const [at, question] of questions.entries()) panel.withTarget(query(at, question));
  return panel;
}

/** One number, red from `limit` on. @param {string} title @param {Look} look @param {Question} question */
export function number(title, look, question) {
  const panel = new StatBuilder()
    .title(title)
    .description(look.description)
    .datasource(SOURCE)
    .unit(look.unit ?? 'short')
    .span(look.width ?? 4)
    .height(look.height ?? 4)
    .graphMode(BigValueGraphMode.Area)
    .colorMode(BigValueColorMode.Value)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .noValue('-')
    .withTarget(query(0, question));
  if (look.limit !== undefined) panel.thresholds(redFrom(look.limit));
  return panel;
}

/** Values by label at one instant. @param {string} title @param {Look} look @param {Question[]} questions */
export function table(title, look, ...questions) {
  const panel = new TableBuilder()
    .title(title)
    .description(look.description)
    .datasource(SOURCE)
    .unit(look.unit ?? 'short')
    .span(look.width ?? 12)
    .height(look.height ?? 8);
  for (const [at, [expr, legend]] of questions.entries())
    panel.withTarget(
      new DataqueryBuilder()
        .refId(String.fromCharCode(65 + at))
        .datasource(SOURCE)
        .expr(expr)
        .legendFormat(legend)
        .format(PromQueryFormat.Table)
        .instant(),
    );
  if (questions.length > 1) panel.withTransformation({ id: 'merge', options: {} });
  return panel.withTransformation({
    id: 'organize',
    options: {
      excludeByName: { Time: true },
      renameByName: Object.fromEntries(
        questions.map(([, legend], at) => [
          questions.length > 1 ? `Value #${String.fromCharCode(65 + at)}` : 'Value',
          legend,
        ]),
      ),
    },
  });
}

/** Buckets of a histogram over time. @param {string} title @param {Look} look @param {string} expr by `le` */
export function heat(title, look, expr) {
  return new HeatmapBuilder()
    .title(title)
    .description(look.description)
    .datasource(SOURCE)
    .unit(look.unit ?? 's')
    .span(look.width ?? 12)
    .height(look.height ?? 8)
    .withTarget(
      new DataqueryBuilder()
        .refId('A')
        .datasource(SOURCE)
        .expr(expr)
        .legendFormat('{{le}}')
        .format(PromQueryFormat.Heatmap)
        .exemplar(true)
        .range(),
    );
}

/** @param {number} limit */
function redFrom(limit) {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([
    { value: null, color: 'green' },
    { value: limit, color: 'red' },
  ]);
}
