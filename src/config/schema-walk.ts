import { z } from 'zod';

export type SchemaNode = z.core.$ZodType;

/** What a schema describes once optional, default and transforming wrappers are taken off; a union is kept whole. */
export function unwrapped(schema: SchemaNode): SchemaNode {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  )
    return unwrapped(schema.unwrap());
  return schema instanceof z.ZodPipe ? unwrapped(schema.in) : schema;
}

/** Fields of an object schema (of the first object among a union's members), or undefined where it has none. */
export function fieldsOf(schema: SchemaNode): Readonly<Record<string, SchemaNode>> | undefined {
  const bare = unwrapped(schema);
  if (bare instanceof z.ZodObject) return bare.shape;
  if (!(bare instanceof z.ZodUnion)) return undefined;
  for (const option of bare.options) {
    const fields = fieldsOf(option);
    if (fields !== undefined) return fields;
  }
  return undefined;
}

/** Schema of the member `key` of what `schema` describes, or undefined. */
export function memberOf(schema: SchemaNode, key: PropertyKey): SchemaNode | undefined {
  const bare = unwrapped(schema);
  if (bare instanceof z.ZodArray) return bare.element;
  if (bare instanceof z.ZodRecord) return bare.valueType;
  const fields = fieldsOf(bare);
  return fields !== undefined && Object.hasOwn(fields, key) ? fields[key as string] : undefined;
}

/** Schema at `path`, or undefined where the path leaves the schema. */
export function schemaAt(schema: SchemaNode, path: readonly PropertyKey[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = schema;
  for (const key of path) node = node === undefined ? undefined : memberOf(node, key);
  return node;
}

/**
 * A copy of `value` whose object keys are spelled as the schema does: `maxBatchSize` becomes `max_batch_size` where the
 * schema has only the latter, as proto3 JSON allows. Keys of maps and unknown keys stay as they are.
 */
export function withSchemaNames(schema: SchemaNode | undefined, value: unknown): unknown {
  if (schema === undefined || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((element, i) => withSchemaNames(memberOf(schema, i), element));
  const fields = fieldsOf(schema);
  const renamed: Record<string, unknown> = Object.create(null);
  for (const [key, member] of Object.entries(value)) {
    const snake = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const name = fields !== undefined && !Object.hasOwn(fields, key) && Object.hasOwn(fields, snake) ? snake : key;
    renamed[name] = withSchemaNames(memberOf(schema, name), member);
  }
  return { ...renamed };
}
