// @ts-check
// What every dashboard of Penstock has: the data source, job and instance as variables, links to the others, and marks where a
// version changed its state.
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { SOURCE } from './panels.mjs';

/** A metric that every gateway has from its start, by which jobs and instances are found. */
const ALWAYS_THERE = 'penstock_ingress_threads';

/** What is selected of series of an instance, of a model, of a version; and of recorded series, which have job and model. */
export const OF_INSTANCE = 'job=~"$job", instance=~"$instance"';
export const OF_MODEL = `${OF_INSTANCE}, model=~"$model"`;
export const OF_VERSION = `${OF_MODEL}, version=~"$version"`;
export const RECORDED = 'job=~"$job", model=~"$model"';

/** A variable whose values are those of a label. @param {string} name @param {string} label @param {string} series */
export function choice(name, label, series) {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(SOURCE)
    .query({ query: `label_values(${series}, ${name})`, refId: name })
    .definition(`label_values(${series}, ${name})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.NaturalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ text: ['All'], value: ['$__all'] });
}

/**
 * @param {{ uid: string, title: string, description: string, variables?: readonly QueryVariableBuilder[] }} about
 */
export function dashboard({ uid, title, description, variables = [] }) {
  const built = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['penstock'])
    .timezone('browser')
    .time({ from: 'now-6h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .editable()
    .link(
      new DashboardLinkBuilder('Penstock')
        .type(DashboardLinkType.Dashboards)
        .tags(['penstock'])
        .asDropdown(true)
        .keepTime(true)
        .includeVars(true),
    )
    .annotation(
      new AnnotationQueryBuilder()
        .name('Alerts')
        .datasource(SOURCE)
        .enable(true)
        .iconColor('red')
        .expr('ALERTS{alertname=~"Penstock.*", alertstate="firing"}'),
    )
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(choice('job', 'Job', ALWAYS_THERE))
    .withVariable(choice('instance', 'Instance', `${ALWAYS_THERE}{job=~"$job"}`));
  for (const variable of variables) built.withVariable(variable);
  return built;
}
