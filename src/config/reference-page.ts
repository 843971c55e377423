import { z } from 'zod';
import { modelGatesSchema } from './gates/gates.js';
import { OWN_PARAMETER_NAMES } from './model/own-fields.js';
import { modelConfigSchema } from './model/schema.js';
import { UNHONOURED } from './model/unhonoured.js';
import { rolloutPlanSchema } from './rollout/schema.js';
import { routesSchema } from './routes/schema.js';
import { fieldsOf, type SchemaNode, unwrapped } from './schema-walk.js';
import { FLAGS } from './server/flags.js';
import { serverConfigSchema } from './server/schema.js';
import { UNSERVED_TRITON_FLAGS } from './server/triton-flags.js';
import { modelSlosSchema } from './slo/schema.js';

/** One setting of a schema, its place as dotted keys. */
export interface Setting {
  readonly path: string;
  readonly type: string;
  /** Undefined where there is none. */
  readonly defaultValue: unknown;
  readonly description: string;
}

/** The settings of the server, in the order of the schema, groups taken apart. */
export function serverSettings(): readonly Setting[] {
  return settingsOf(serverConfigSchema, '');
}

/** The whole reference of server and model configuration as Markdown, written from the schemas. */
export function referencePage(): string {
  const unhonoured = new Map(UNHONOURED.map((row) => [row.field, row]));
  return [
    '# Configuration reference',
    '',
    'Written from the schemas in `src/config` by `penstock config-reference`; a test compares it. Do not edit.',
    '',
    '## Server: `penstock.yaml` and flags of `penstock serve`',
    '',
    "Flags win over the file. Flags marked T are Triton's, with its meaning. Booleans take `true`, `false`, `1`, `0`, or nothing for true.",
    '',
    ...table(
      ['key', 'flag', 'type', 'default', 'meaning'],
      serverSettings().map((row) => [
        code(row.path),
        flagText(row.path),
        row.type,
        defaultText(row.defaultValue),
        row.description,
      ]),
    ),
    '',
    "### Flags of Triton's that are not served",
    '',
    'A warning where answers are the same without it, else an error.',
    '',
    ...table(
      ['flag', 'effect', 'why'],
      Object.entries(UNSERVED_TRITON_FLAGS).map(([name, { effect, why }]) => [code(`--${name}`), effect, why]),
    ),
    '',
    '## Model: `config.pbtxt`, `config.yaml` and the JSON of the load call',
    '',
    "The fields of Triton's ModelConfig, with its meaning; all optional. YAML and JSON may also write `maxBatchSize` for `max_batch_size`.",
    '',
    ...table(
      ['field', 'type', 'meaning'],
      settingsOf(modelConfigSchema, '')
        .filter((row) => !unhonoured.has(row.path.replaceAll('[]', '')) && row.description !== '')
        .map((row) => [code(row.path), row.type, row.description]),
    ),
    '',
    `In \`config.pbtxt\` the fields of ours are \`parameters\`: ${[...OWN_PARAMETER_NAMES, 'penstock.provider.options.NAME'].map(code).join(', ')}.`,
    '',
    '### Fields that are not honoured',
    '',
    'A warning where answers are the same without it, else the model is refused.',
    '',
    ...table(
      ['field', 'effect', 'why'],
      UNHONOURED.map((row) => [code(row.field), row.effect, row.why]),
    ),
    '',
    '## Rollout plan: `penstock rollout start FILE`, `rollout.yaml` beside a model',
    '',
    'How a new version takes over: `src/delivery/ROLLOUTS.md`.',
    '',
    ...table(
      ['key', 'type', 'default', 'meaning'],
      settingsOf(rolloutPlanSchema, '').map((row) => [
        code(row.path),
        row.type,
        defaultText(row.defaultValue),
        row.description,
      ]),
    ),
    '',
    '## SLOs of a model: `slo.yaml` beside its version folders',
    '',
    'What is promised of it: `src/insight/slo/SLO.md`. The same fields, and `model`, make up `slos` of the server.',
    '',
    ...table(
      ['key', 'type', 'default', 'meaning'],
      settingsOf(modelSlosSchema, '').map((row) => [
        code(row.path),
        row.type,
        defaultText(row.defaultValue),
        row.description,
      ]),
    ),
    '',
    '## Gates of a model: `gates.yaml` beside its version folders',
    '',
    'What its versions have to show before they serve: `src/gates/README.md`.',
    '',
    ...table(
      ['key', 'type', 'default', 'meaning'],
      settingsOf(modelGatesSchema, '').map((row) => [
        code(row.path),
        row.type,
        defaultText(row.defaultValue),
        row.description,
      ]),
    ),
    '',
    '## Routes: `routes.yaml` and `routes.json` beside a model, and what operators set',
    '',
    'Which version answers which request: `src/serving/router/ROUTES.md` has examples. All optional.',
    '',
    ...table(
      ['field', 'type', 'default', 'meaning'],
      settingsOf(routesSchema, '')
        .filter((row) => row.description !== '' && !CONDITION_AGAIN.test(row.path))
        .map((row) => [code(row.path), row.type, defaultText(row.defaultValue), row.description]),
    ),
    '',
  ].join('\n');
}

/** Conditions are described once, where rules have them, though they may lie in each other. */
const CONDITION_AGAIN = /^(?:shadows|filters)\[\]\.when\.|\.when\.(?:all\[\]|any\[\]|not)\./;

/** `above`: the schemas it lies in; one that lies in itself is not described again. */
function settingsOf(schema: SchemaNode, prefix: string, above: readonly SchemaNode[] = []): Setting[] {
  const around = [...above, unwrapped(schema)];
  return Object.entries(fieldsOf(schema) ?? {}).flatMap(([key, member]) => {
    const path = `${prefix}${key}`;
    const bare = unwrapped(member);
    const inner = bare instanceof z.ZodArray || bare instanceof z.ZodRecord ? elementOf(bare) : bare;
    const group = bare instanceof z.ZodObject;
    const own: Setting = {
      path,
      type: typeText(member),
      defaultValue: member instanceof z.ZodDefault ? member.def.defaultValue : undefined,
      description: (member as z.ZodType).description ?? '',
    };
    const suffix = group ? '.' : bare instanceof z.ZodRecord ? '.NAME.' : '[].';
    const members =
      inner instanceof z.ZodObject && !around.includes(inner) ? settingsOf(inner, `${path}${suffix}`, around) : [];
    // A group of the server's is only its members; a message of a model's config is something by itself.
    return group && prefix === '' && member instanceof z.ZodPrefault
      ? members
      : [...(isGroup(member) ? [] : [own]), ...members];
  });
}

const isGroup = (schema: SchemaNode) => schema instanceof z.ZodPrefault;

function elementOf(schema: z.ZodArray | z.ZodRecord): SchemaNode {
  return unwrapped(schema instanceof z.ZodArray ? schema.element : schema.valueType);
}

function typeText(schema: SchemaNode): string {
  const bare = unwrapped(schema);
  if (bare instanceof z.ZodArray) return `list of ${typeText(bare.element)}`;
  if (bare instanceof z.ZodRecord) return `map to ${typeText(bare.valueType)}`;
  if (bare instanceof z.ZodEnum) return bare.options.map((value) => code(String(value))).join(', ');
  if (bare instanceof z.ZodLiteral) return [...bare.values].map((value) => code(String(value))).join(', ');
  if (bare instanceof z.ZodUnion && bare.options.some((option) => unwrapped(option) instanceof z.ZodLiteral))
    return bare.options.map(typeText).join(', ');
  if (bare instanceof z.ZodUnion && bare.options.every((option) => unwrapped(option) instanceof z.ZodObject))
    return 'message';
  if (bare instanceof z.ZodUnion)
    return bare.options.some((option) => unwrapped(option) instanceof z.ZodObject)
      ? 'text'
      : typeText(bare.options[0]!);
  if (bare instanceof z.ZodObject) return 'message';
  if (bare instanceof z.ZodNumber) return bare.isInt ? 'integer' : 'number';
  if (bare instanceof z.ZodTuple) return 'pair';
  return { string: 'text', boolean: 'true, false' }[bare._zod.def.type as string] ?? bare._zod.def.type;
}

function flagText(path: string): string {
  const flag = FLAGS.find((row) => row.path?.join('.') === path);
  if (flag === undefined) return '';
  return `${code(`--${flag.name}`)}${flag.triton ? ' T' : ''}${flag.repeatable ? ', repeatable' : ''}`;
}

function defaultText(value: unknown): string {
  return value === undefined ? '' : code(JSON.stringify(value));
}

const code = (text: string) => `\`${text}\``;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), `|${header.map(() => '---').join('|')}|`, ...rows.map(line)];
}
