import { type ModelTypes, sameTypes, type TypedTensor, type VersionTypes } from './model-types.js';

const HEAD = [
  '// Written by `penstock generate-types`. Do not edit: run it again.',
  "import type { InputTensor, OutputTensor } from 'penstock/client';",
  '',
].join('\n');

/** TypeScript of the inputs and outputs of models. The same models give the same text, in whatever order they come. */
export function typesText(models: readonly ModelTypes[]): string {
  const sorted = [...models].sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = identifiers(sorted.map(({ name }) => name));
  const spaces = sorted.map((model, i) => modelSpace(model, names[i] as string));
  const rows = sorted.map(
    ({ name }, i) =>
      `  readonly ${property(name)}: { readonly inputs: ${names[i]}.Inputs; readonly outputs: ${names[i]}.Outputs };\n`,
  );
  return `${HEAD}\n${spaces.join('\n')}\n/** The models by their names. */\nexport type Models = {\n${rows.join('')}};\n`;
}

/** The types of the highest version; where versions differ, those of each too. */
function modelSpace({ name, versions }: ModelTypes, identifier: string): string {
  const latest = versions.at(-1) as VersionTypes;
  const differ = versions.some((version) => !sameTypes(version, latest));
  const note = differ ? `; its versions differ, these are of version ${latest.version}` : '';
  const each = versions.map(
    (version) => `\n  export namespace v${version.version} {\n${indented(bothSides(version))}  }\n`,
  );
  return `/** Model ${comment(name)}${note}. */\nexport namespace ${identifier} {\n${bothSides(latest)}${differ ? each.join('') : ''}}\n`;
}

function bothSides({ inputs, outputs }: VersionTypes): string {
  return `${side('Inputs', 'InputTensor', inputs)}\n${side('Outputs', 'OutputTensor', outputs)}`;
}

function side(name: string, type: string, tensors: readonly TypedTensor[]): string {
  const rows = tensors.map((tensor) => {
    const { datatype, shape, optional } = tensor;
    const sizes = shape.map((size) => (size < 0 ? 'number' : String(size))).join(', ');
    return `    /** ${comment(datatype)} [${shape.join(', ')}] */\n    readonly ${property(tensor.name)}${optional ? '?' : ''}: ${type}<${quoted(datatype)}, readonly [${sizes}]>;\n`;
  });
  return `  export type ${name} = {\n${rows.join('')}  };\n`;
}

/** Identifiers for names, each another one. */
function identifiers(names: readonly string[]): string[] {
  const taken = new Set(['Models', 'InputTensor', 'OutputTensor']);
  return names.map((name) => {
    const plain = name.replace(/[^A-Za-z0-9_$]/g, '_').replace(/^(?=\d)/, '_');
    let identifier = RESERVED.has(plain) ? `${plain}_` : plain;
    for (let n = 2; taken.has(identifier); n++) identifier = `${plain}_${n}`;
    taken.add(identifier);
    return identifier;
  });
}

/** Names that no namespace may have (ECMAScript's reserved words, in strict code, and TypeScript's own types). */
const RESERVED = new Set(
  (
    'any arguments as async await bigint boolean break case catch class const continue debugger declare default delete do else ' +
    'enum eval export extends false finally for from function get if implements import in instanceof interface let module ' +
    'namespace never new null number object of package private protected public return set static string super switch ' +
    'symbol this throw true try type typeof undefined unknown var void while with yield'
  ).split(' '),
);

function property(name: string): string {
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name) ? name : quoted(name);
}

function quoted(name: string): string {
  return `'${JSON.stringify(name).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** Text that cannot end a comment. */
function comment(text: string): string {
  return text.replaceAll('*/', '*\\/').replace(/[\r\n\u2028\u2029]/g, ' ');
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
