#!/usr/bin/env node
/**
 * Copies `protos/` beside the compiled program, so that `dist/`, `node_modules/` and `package.json` alone can serve, and lets the
 * program be run: `npx penstock` does that itself the first time only, and the compiler writes a new file each time.
 */
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const copy = join(ROOT, 'dist/protos');
rmSync(copy, { recursive: true, force: true });
cpSync(join(ROOT, 'protos'), copy, { recursive: true });
chmodSync(join(ROOT, 'dist/cli/penstock.cjs'), 0o755);
