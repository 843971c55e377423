import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A folder of a user's program that has Penstock as a package. */
export class ClientProgram {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), 'penstock-client-')));

  constructor() {
    mkdirSync(join(this.path, 'node_modules'));
    writeFileSync(join(this.path, 'package.json'), '{"type": "module"}');
    symlinkSync(ROOT, join(this.path, 'node_modules/penstock'));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
