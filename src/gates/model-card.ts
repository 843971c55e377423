import { readDocument } from '../config/index.js';
import { type ModelFiles, type ModelVersionId, ServingError } from '../core/index.js';

/** What a model card says, or that there is none. */
export type ModelCard =
  | { readonly kind: 'none' }
  | { readonly kind: 'card'; readonly path: string; readonly fields: Readonly<Record<string, unknown>> };

const NAMES = ['MODEL_CARD.md', 'model-card.yaml'];
const MOST_CARD_BYTES = 1024 * 1024;

/**
 * The card of a version: in its folder, else in its model's. `MODEL_CARD.md` has its fields in front, between two lines of
 * `---` (as on Hugging Face); `model-card.yaml` is nothing else. Rejects with MODEL_INVALID where it cannot be read.
 */
export async function readModelCard(id: ModelVersionId, files: ModelFiles): Promise<ModelCard> {
  for (const folder of [String(id.version), '.']) {
    const there = new Set(((await files.list(folder)) ?? []).map(({ name }) => name));
    const name = NAMES.find((one) => there.has(one));
    if (name === undefined) continue;
    const path = folder === '.' ? name : `${folder}/${name}`;
    const text = new TextDecoder().decode(await files.read(path, MOST_CARD_BYTES));
    return { kind: 'card', path, fields: fieldsOf(name.endsWith('.md') ? frontMatter(text, path) : text, path) };
  }
  return { kind: 'none' };
}

/** Fields of `wanted` that a card lacks or leaves empty. */
export function missingFields(card: ModelCard, wanted: readonly string[]): readonly string[] {
  if (card.kind === 'none') return wanted;
  return wanted.filter((name) => isEmpty(card.fields[name]));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === 'string') return value.trim() === '';
  return Array.isArray(value) && value.length === 0;
}

function frontMatter(text: string, path: string): string {
  const match = /^\uFEFF?---\r?\n([\s\S]*?)\r?\n---\s*(?:\r?\n|$)/.exec(text);
  if (match === null) throw invalid(path, 'its fields are expected in front, between two lines of ---');
  return match[1] as string;
}

function fieldsOf(text: string, path: string): Readonly<Record<string, unknown>> {
  const { value, fault } = readDocument(text);
  if (fault !== undefined) throw invalid(path, `line ${fault.line} of its fields: ${fault.message}`);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalid(path, 'a map of fields is expected');
}

function invalid(path: string, why: string): ServingError {
  return new ServingError('MODEL_INVALID', `model card ${path}: ${why}`);
}
