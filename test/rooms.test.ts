import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = resolve(import.meta.dirname, '../src');

interface Room {
  readonly name: string;
  readonly rooms: 'every' | readonly string[];
  readonly packages: readonly string[];
  readonly node: boolean;
}

/** The table of rooms in src/README.md. */
function readRooms(): Room[] {
  const cells = readFileSync(join(SRC, 'README.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const list = (cell: string) => (/^(none|nothing)$/.test(cell) ? [] : cell.split(', '));
  return cells.map(([name, , rooms, packages, node]) => ({
    name: name!.replaceAll('`', ''),
    rooms: rooms === 'every room' ? 'every' : list(rooms!),
    packages: list(packages!),
    node: node === 'yes',
  }));
}

const ROOMS = readRooms();
const roomOf = (file: string) => ROOMS.find((room) => file.startsWith(`${room.name}/`));

function sources(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    (f) => /\.c?ts$/.test(f) && !/\.test\.ts$/.test(f),
  );
}

/** Every module name that a source names in an import, an export or a dynamic import. */
function imports(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8');
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^'"`;]*?from\s*'([^']+)'|(?:^|[^.\w])import\s*\(?\s*'([^']+)'|require\('([^']+)'\)/g,
  );
  return [...found].map((m) => (m[1] ?? m[2] ?? m[3]) as string);
}

/** Why an import is refused, or undefined. */
function refusal(file: string, target: string): string | undefined {
  const room = roomOf(file);
  if (room === undefined) return `${file} is in no room of src/README.md`;
  if (target.startsWith('node:')) return room.node ? undefined : `${file} may not import ${target}`;
  if (!target.startsWith('.')) {
    const name = target
      .split('/')
      .slice(0, target.startsWith('@') ? 2 : 1)
      .join('/');
    return room.packages.includes(name) ? undefined : `${file} may not import the package ${name}`;
  }
  const path = relative(SRC, resolve(SRC, dirname(file), target));
  const other = roomOf(path);
  if (other === undefined || other === room) return other === room ? undefined : `${file} imports ${path}, in no room`;
  if (room.rooms !== 'every' && !room.rooms.includes(other.name)) return `${file} may not import ${other.name}`;
  return path === `${other.name}/index.js`
    ? undefined
    : `${file} must import ${other.name} through its door, not ${path}`;
}

describe('rooms', () => {
  it('names every room that exists, with its packages', () => {
    expect(ROOMS.length).toBeGreaterThan(10);
    expect(ROOMS.find((r) => r.name === 'config')?.packages).toContain('zod');
  });

  it('allows only the imports of the table', () => {
    const refused = sources().flatMap((file) =>
      imports(file)
        .map((target) => refusal(file, target))
        .filter(Boolean),
    );
    expect(refused).toEqual([]);
  });

  it('would refuse what the table does not allow', () => {
    expect(refusal('serving/batcher/x.ts', 'node:fs')).toMatch(/may not/);
    expect(refusal('serving/batcher/x.ts', '../executor/index.js')).toMatch(/may not import serving\/executor/);
    expect(refusal('serving/codec/x.ts', 'zod')).toMatch(/package zod/);
    expect(refusal('serving/dataplane/x.ts', '../router/table.js')).toMatch(/through its door/);
    expect(refusal('serving/dataplane/x.ts', '../router/index.js')).toBeUndefined();
  });
});
