// @ts-check
// node deploy/observability/dashboards/generate.mjs writes deploy/observability/grafana/*.json and, of the rules, the form that the
// Prometheus Operator takes. A test compares all of it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generated } from './all.mjs';

const folder = fileURLToPath(new URL('../', import.meta.url));
for (const [file, text] of Object.entries(generated())) {
  mkdirSync(dirname(`${folder}${file}`), { recursive: true });
  writeFileSync(`${folder}${file}`, text);
}
