/** The glibc that upstream's binaries ask for, and the lowest one the relaxed binary runs on (its other symbols). */
export const UPSTREAM_GLIBC = '2.38';
export const LOWEST_GLIBC = '2.36';

/**
 * GLIBC_2.38 is needed for these names only: C23 forms that differ from the plain ones in reading binary literals
 * (`0b1`), which uWebSockets never passes them. Cutting the prefix leaves the plain name inside the same string.
 */
const PREFIX = '__isoc23_';
const RELAXED_NAMES: readonly string[] = ['sscanf', 'strtol', 'strtoul'];

const SHT_DYNSYM = 11;
const SHT_GNU_VERNEED = 0x6ffffffe;
const SHT_GNU_VERSYM = 0x6fffffff;
const VER_NDX_GLOBAL = 1;
const VER_FLG_WEAK = 2;

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  /** Index of the section that holds its strings. */
  readonly link: number;
}

/**
 * A copy of a 64-bit little-endian ELF library whose dynamic symbols `__isoc23_X` became `X` of any version, and whose
 * need of GLIBC_2.38 is weak: the loader of an older glibc takes it. Throws an `Error` where the file is not what is
 * expected (another layout, or another symbol that needs GLIBC_2.38). Linear in the symbols.
 */
export function relaxGlibcNeed(library: Uint8Array): Buffer {
  const elf = Buffer.from(library);
  if (elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1)
    throw new Error('not a 64-bit little-endian ELF file');
  const sections = readSections(elf);
  const symbols = sectionOf(sections, SHT_DYNSYM, 'dynamic symbols');
  const versions = sectionOf(sections, SHT_GNU_VERSYM, 'symbol versions');
  const needs = sectionOf(sections, SHT_GNU_VERNEED, 'needed versions');
  const strings = sections[symbols.link] as Section;

  const needed = weakenNeed(elf, needs, sections[needs.link] as Section);
  const count = symbols.size / 24;
  for (let i = 0; i < count; i++) {
    const versionAt = versions.offset + 2 * i;
    if ((elf.readUInt16LE(versionAt) & 0x7fff) !== needed) continue;
    const symbolAt = symbols.offset + 24 * i;
    const nameAt = elf.readUInt32LE(symbolAt);
    const name = textAt(elf, strings.offset + nameAt);
    if (!name.startsWith(PREFIX) || !RELAXED_NAMES.includes(name.slice(PREFIX.length))) {
      throw new Error(`the symbol ${name} needs GLIBC_${UPSTREAM_GLIBC} and has no older form`);
    }
    elf.writeUInt32LE(nameAt + PREFIX.length, symbolAt);
    elf.writeUInt16LE(VER_NDX_GLOBAL, versionAt);
  }
  return elf;
}

/** Marks the entry of GLIBC_2.38 weak; its version index. */
function weakenNeed(elf: Buffer, needs: Section, strings: Section): number {
  let fileAt = needs.offset;
  for (;;) {
    const entries = elf.readUInt16LE(fileAt + 2);
    let at = fileAt + elf.readUInt32LE(fileAt + 8);
    for (let i = 0; i < entries; i++) {
      if (textAt(elf, strings.offset + elf.readUInt32LE(at + 8)) === `GLIBC_${UPSTREAM_GLIBC}`) {
        elf.writeUInt16LE(elf.readUInt16LE(at + 4) | VER_FLG_WEAK, at + 4);
        return elf.readUInt16LE(at + 6);
      }
      at += elf.readUInt32LE(at + 12);
    }
    const next = elf.readUInt32LE(fileAt + 12);
    if (next === 0) throw new Error(`no need of GLIBC_${UPSTREAM_GLIBC} found`);
    fileAt += next;
  }
}

function readSections(elf: Buffer): Section[] {
  const tableAt = Number(elf.readBigUInt64LE(0x28));
  const entryBytes = elf.readUInt16LE(0x3a);
  const sections: Section[] = [];
  for (let i = 0; i < elf.readUInt16LE(0x3c); i++) {
    const at = tableAt + i * entryBytes;
    sections.push({
      type: elf.readUInt32LE(at + 4),
      offset: Number(elf.readBigUInt64LE(at + 0x18)),
      size: Number(elf.readBigUInt64LE(at + 0x20)),
      link: elf.readUInt32LE(at + 0x28),
    });
  }
  return sections;
}

function sectionOf(sections: readonly Section[], type: number, what: string): Section {
  const found = sections.find((section) => section.type === type);
  if (found === undefined) throw new Error(`the ELF file has no section of ${what}`);
  return found;
}

function textAt(elf: Buffer, at: number): string {
  return elf.toString('latin1', at, elf.indexOf(0, at));
}
