import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const SHIPPED = fileURLToPath(new URL('../../deploy/observability/', import.meta.url));

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly interval?: string; readonly rules: readonly Rule[] }[];
}

/** The path of a file that ships. */
export function shipped(name: string): string {
  return `${SHIPPED}${name}`;
}

/** Names of the files in a folder of those that ship, with that ending. */
export function shippedIn(folder: string, ending: string): string[] {
  return readdirSync(shipped(folder))
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`);
}

export function readYaml<T>(name: string): T {
  return parse(readFileSync(shipped(name), 'utf8')) as T;
}

/** All rules that ship. */
export function shippedRules(): Rule[] {
  return shippedIn('rules', '.yml').flatMap((name) => readYaml<RuleFile>(name).groups.flatMap((group) => group.rules));
}

export interface DashboardQuery {
  readonly dashboard: string;
  readonly panel: string;
  readonly expr: string;
}

interface Panel {
  readonly title?: string;
  readonly targets?: readonly { readonly expr?: string }[];
  readonly panels?: readonly Panel[];
}

/** Every question of the dashboards to Prometheus: of panels, variables and annotations; variables replaced by what matches all. */
export function dashboardQueries(): DashboardQuery[] {
  return shippedIn('grafana', '.json').flatMap((name) => {
    const board = JSON.parse(readFileSync(shipped(name), 'utf8')) as {
      readonly panels: readonly Panel[];
      readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
      readonly annotations: { readonly list: readonly { readonly name?: string; readonly expr?: string }[] };
    };
    const asked = [
      ...board.panels.flatMap(questionsOf),
      ...board.templating.list.map(({ name: variable, definition }) => ({
        panel: `variable ${variable}`,
        expr: /^label_values\((.*), \w+\)$/.exec(definition ?? '')?.[1],
      })),
      ...board.annotations.list.map((mark) => ({ panel: `marks ${mark.name}`, expr: mark.expr })),
    ];
    return asked.flatMap(({ panel, expr }) =>
      expr === undefined ? [] : [{ dashboard: name, panel, expr: withoutVariables(expr) }],
    );
  });
}

function questionsOf(panel: Panel): { panel: string; expr: string | undefined }[] {
  const own = (panel.targets ?? []).map(({ expr }) => ({ panel: panel.title ?? '', expr }));
  return [...own, ...(panel.panels ?? []).flatMap(questionsOf)];
}

function withoutVariables(expr: string): string {
  return expr.replaceAll('$__rate_interval', '1m').replaceAll(/"\$\w+"/g, '".*"');
}

/** Names of series in PromQL: what is left where texts, selectors' labels, ranges and labels to group by are taken out. */
export function seriesNames(expr: string): string[] {
  const plain = expr
    .replaceAll(/\{[^}]*\}/g, ' ')
    .replaceAll(/"[^"]*"|'[^']*'/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  const words = plain.match(/[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\(|[a-zA-Z0-9_:])/g) ?? [];
  return [
    ...new Set(
      words.filter(
        (word) =>
          !/^(and|or|unless|bool|offset|by|without|on|ignoring|group_left|group_right|[a-z]{1,2}|e\d*|Inf|NaN)$/.test(
            word,
          ) || word === 'up',
      ),
    ),
  ];
}
