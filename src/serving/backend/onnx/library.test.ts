import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { NEWEST_API_VERSION, OLDEST_API_VERSION, ORT_FUNCTIONS } from './api-table.js';
import { bundledLibraryPath, loadOrtLibrary } from './library.js';
import { NativeMemory } from './native-memory.js';
import { publicText } from './status.js';

/** Last slot of each API version, from the static asserts of onnxruntime_c_api.cc. */
const LAST_SLOTS = [
  [1, 101],
  [2, 118],
  [3, 124],
  [4, 126],
  [5, 149],
  [6, 157],
  [7, 161],
  [8, 169],
  [9, 191],
  [10, 203],
  [11, 209],
  [12, 218],
  [13, 224],
  [14, 238],
  [15, 254],
  [16, 265],
  [17, 275],
  [18, 279],
  [20, 284],
  [22, 317],
  [23, 389],
] as const;

describe('the library', () => {
  it('is bound by its own version: no API version is asked for that it does not offer', () => {
    const library = loadOrtLibrary();
    const minor = Number(library.version.split('.')[1]);
    expect(library.apiVersion).toBe(Math.min(minor, NEWEST_API_VERSION));
    expect(library.apiVersion).toBeGreaterThanOrEqual(OLDEST_API_VERSION);
  });

  it.each(Object.entries(ORT_FUNCTIONS))('%s has the version that brought its slot', (_name, row) => {
    const brought = LAST_SLOTS.find(([, last]) => row.slot <= last)?.[0] ?? 24;
    expect(row.since).toBe(brought);
  });

  it('is loaded once', () => {
    expect(loadOrtLibrary()).toBe(loadOrtLibrary(bundledLibraryPath()));
  });

  it.each(['', 'not a library'])('refuses a file that is no library (%j) as UNSUPPORTED', (content) => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'ort-')), 'libonnxruntime.so.1');
    writeFileSync(file, content);
    expect(() => loadOrtLibrary(file)).toThrow(expect.objectContaining({ reason: 'UNSUPPORTED' }));
  });
});

describe('native memory', () => {
  it('lies at a 64-byte boundary and keeps words exact to 2^53', () => {
    for (const size of [0, 1, 63, 4097]) {
      const memory = new NativeMemory(size);
      expect(memory.address % 64).toBe(0);
      expect(memory.bytes.byteLength).toBeGreaterThanOrEqual(size);
      memory.setWord(0, Number.MAX_SAFE_INTEGER);
      expect(memory.word(0)).toBe(Number.MAX_SAFE_INTEGER);
      memory.bytes.fill(0xff, 0, 8);
      expect(memory.signedWord(0)).toBe(-1);
      expect(memory.int(0)).toBe(-1);
    }
  });
});

describe('the text of a failure', () => {
  it('loses folders of the machine and of the build, and keeps the names of nodes', () => {
    const text =
      "/onnxruntime_src/onnxruntime/core/x.cc:12 Run failed for node '/conv1/Conv' of /models/secret/1/model.onnx";
    expect(publicText(text, ['/models/secret/1'])).toBe("Run failed for node '/conv1/Conv' of model.onnx");
  });
});
