#!/usr/bin/env node
/** Copies `protos/` beside the compiled program, so that `dist/`, `node_modules/` and `package.json` alone can serve. */
import { cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const copy = join(ROOT, 'dist/protos');
rmSync(copy, { recursive: true, force: true });
cpSync(join(ROOT, 'protos'), copy, { recursive: true });
