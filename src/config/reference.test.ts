import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonSchema } from './json-schema.js';
import { referencePage, serverSettings } from './reference-page.js';

describe('reference page', () => {
  it('is current (penstock config-reference > src/config/REFERENCE.md writes it)', () => {
    // A formatter may align the tables.
    const plain = (text: string) => text.replaceAll(/ +/g, ' ').replaceAll(/\| ?-+ ?(?=\|)/g, '|---');
    expect(plain(readFileSync(join(import.meta.dirname, 'REFERENCE.md'), 'utf8'))).toBe(plain(referencePage()));
  });

  it('describes every setting of the server', () => {
    expect(serverSettings().filter((setting) => setting.description === '')).toEqual([]);
    expect(serverSettings().length).toBeGreaterThan(40);
  });
});

describe('JSON Schema', () => {
  it('describes every file and allows no unknown key', () => {
    const { server, model, routes } = jsonSchema() as Record<
      string,
      { properties: Record<string, unknown>; additionalProperties: unknown }
    >;
    expect(server!.properties).toHaveProperty('http');
    expect(model!.properties).toHaveProperty('dynamic_batching');
    expect(routes!.properties).toHaveProperty('splits');
    expect(JSON.stringify(routes)).toMatch(/consecutive_failures/);
    for (const schema of [server, model, routes]) expect(schema!.additionalProperties).toBe(false);
  });
});
