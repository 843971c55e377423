import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { LibraryHandle } from 'koffi';
import { ServingError } from '../../../core/index.js';
import {
  C_TYPES,
  LOG_FATAL,
  NEWEST_API_VERSION,
  OLDEST_API_VERSION,
  ORT_FUNCTIONS,
  type OrtFunctionName,
} from './api-table.js';
import { koffiModule } from './koffi-module.js';
import { type Address, NativeMemory } from './native-memory.js';
import { check } from './status.js';

/** A bound function. Arguments and result as its row in the table says; pointers are addresses. */
export interface NativeFunction {
  (...values: (number | string)[]): number;
  /** Runs on a libuv thread; the last argument is called on this thread when it has returned. */
  async(...values: unknown[]): void;
}

/** The bound functions. One that is newer than the library is missing: ask `has` before. */
export type OrtApi = Readonly<Record<OrtFunctionName, NativeFunction>>;

/** ONNX Runtime's library as this process has it: loaded once for each path, never unloaded. */
export interface OrtLibrary {
  readonly path: string;
  /** `1.30.0`. */
  readonly version: string;
  readonly apiVersion: number;
  readonly api: OrtApi;
  has(name: OrtFunctionName): boolean;
  readonly env: Address;
  /** Threads of the pool that sessions share which have none of their own; 0 = there is none. */
  readonly globalThreads: number;
  /** The default CPU allocator; ONNX Runtime's own, never released. */
  readonly allocator: Address;
  readonly cpuMemory: Address;
  /** Out parameters of synchronous calls on this thread: 512 words of 64 bits. Not for calls in flight. */
  readonly scratch: NativeMemory;
  /** (to, from, bytes): copies memory that JavaScript has no view of. */
  copy(to: Address, from: Address, bytes: number): void;
  /** Text at an address, NUL-terminated UTF-8. */
  textAt(address: Address): string;
}

/**
 * What koffi loaded, kept reachable for ever: a collected library object unloads the library, and the next call through
 * it is a segmentation fault.
 */
export const keptLibraries: LibraryHandle[] = [];
const loaded = new Map<string, OrtLibrary>();

/**
 * Loads ONNX Runtime's library, by default the one that onnxruntime-node ships. `globalThreads` is heard at the first load:
 * the library has one environment. Throws `UNSUPPORTED`.
 */
export function loadOrtLibrary(libraryPath: string = bundledLibraryPath(), globalThreads = 0): OrtLibrary {
  const known = loaded.get(libraryPath);
  if (known !== undefined) return known;
  const library = bindLibrary(libraryPath, globalThreads);
  loaded.set(libraryPath, library);
  return library;
}

/** Path of the library inside the installed onnxruntime-node. Throws `UNSUPPORTED` where it has none for this machine. */
export function bundledLibraryPath(): string {
  const platform = process.platform;
  const file = platform === 'darwin' ? 'libonnxruntime.1.dylib' : 'libonnxruntime.so.1';
  if (platform !== 'linux' && platform !== 'darwin') throw unsupportedMachine('the operating system is not supported');
  if (platform === 'linux' && !runsOnGlibc()) throw unsupportedMachine('the C library is not glibc');
  const folder = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const found = path.join(folder, 'bin', 'napi-v6', platform, process.arch, file);
  if (!existsSync(found)) throw unsupportedMachine('onnxruntime-node ships no library for it');
  return found;
}

function unsupportedMachine(why: string): ServingError {
  return new ServingError(
    'UNSUPPORTED',
    `the native ONNX engine runs on Linux with glibc (x64, arm64) and macOS (arm64); this is ${process.platform}-${process.arch}: ${why}`,
  );
}

let onGlibc: boolean | undefined;

/** True where the process runs on glibc (Linux only). The answer is kept: the report behind it is slow to make. */
export function runsOnGlibc(): boolean {
  if (onGlibc === undefined) {
    const report = process.report as typeof process.report & { excludeNetwork?: boolean };
    const { excludeNetwork } = report;
    // Or the report looks up the name of every peer.
    report.excludeNetwork = true;
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    if (excludeNetwork !== undefined) report.excludeNetwork = excludeNetwork;
    onGlibc = header?.glibcVersionRuntime !== undefined;
  }
  return onGlibc;
}

function bindLibrary(libraryPath: string, globalThreads: number): OrtLibrary {
  // Read once, when the environment is created: a server sends nobody events about its models.
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
  const koffi = koffiModule();
  const { version, apiVersion, table } = openTable(libraryPath);
  const libc = koffi.load(null);
  keptLibraries.push(libc);
  const api = bindTable(table, apiVersion);
  const has = (name: OrtFunctionName) => ORT_FUNCTIONS[name].since <= apiVersion;
  const scratch = new NativeMemory(512 * 8);
  const copy = libc.func('memcpy', C_TYPES.ptr, [C_TYPES.ptr, C_TYPES.ptr, C_TYPES.size]) as OrtLibrary['copy'];
  const textAt = (address: Address) => koffi.decode(BigInt(address), 'char', -1) as string;

  const env = createEnvironment(api, scratch, globalThreads);
  check(api, api.GetAllocatorWithDefaultOptions(scratch.address));
  const allocator = scratch.word(0);
  check(api, api.CreateCpuMemoryInfo(0, 0, scratch.address));
  const cpuMemory = scratch.word(0);
  return {
    path: libraryPath,
    version,
    apiVersion,
    api,
    has,
    env,
    globalThreads,
    allocator,
    cpuMemory,
    scratch,
    copy,
    textAt,
  };
}

function createEnvironment(api: OrtApi, scratch: NativeMemory, globalThreads: number): Address {
  if (globalThreads === 0) {
    check(api, api.CreateEnv(LOG_FATAL, 'penstock', scratch.address));
    return scratch.word(0);
  }
  check(api, api.CreateThreadingOptions(scratch.address));
  const options = scratch.word(0);
  try {
    check(api, api.SetGlobalIntraOpNumThreads(options, globalThreads));
    check(api, api.SetGlobalInterOpNumThreads(options, 1));
    // Several sessions share few cores: a thread that spins takes one from another model.
    check(api, api.SetGlobalSpinControl(options, 0));
    check(api, api.CreateEnvWithGlobalThreadPools(LOG_FATAL, 'penstock', options, scratch.address));
    return scratch.word(0);
  } finally {
    api.ReleaseThreadingOptions(options);
  }
}

/**
 * Binds one function for a thread that calls nothing else. koffi's objects belong to a thread: this one keeps the library
 * loaded for itself.
 */
export function bindAlone(libraryPath: string, name: OrtFunctionName): NativeFunction {
  const { apiVersion, table } = openTable(libraryPath);
  if (ORT_FUNCTIONS[name].since > apiVersion) throw new Error(`the library has no ${name}`);
  return bindRow(table, name);
}

interface OpenedTable {
  readonly version: string;
  readonly apiVersion: number;
  /** Where the function pointers begin. */
  readonly table: Address;
}

/** Loads the library for this thread and finds its function table. Throws `UNSUPPORTED`. */
function openTable(libraryPath: string): OpenedTable {
  const koffi = koffiModule();
  let handle: LibraryHandle;
  try {
    handle = koffi.load(libraryPath);
  } catch (cause) {
    throw new ServingError('UNSUPPORTED', `ONNX Runtime's library ${path.basename(libraryPath)} does not load`, {
      cause,
    });
  }
  keptLibraries.push(handle);
  const base = handle.func('OrtGetApiBase', C_TYPES.ptr, [])() as number;
  const [getApi, getVersion] = [pointerAt(base, 0), pointerAt(base, 1)];
  const version = koffi.decode(BigInt(getVersion), koffi.proto('str', []))() as string;
  // A library offers the API versions up to its own minor version; asking for one more returns null and prints a line.
  const apiVersion = Math.min(NEWEST_API_VERSION, Number(version.split('.')[1]));
  if (!(apiVersion >= OLDEST_API_VERSION)) {
    throw new ServingError('UNSUPPORTED', `ONNX Runtime 1.${OLDEST_API_VERSION} or newer is needed, found ${version}`);
  }
  const table = koffi.decode(BigInt(getApi), koffi.proto(C_TYPES.ptr, ['uint32_t']))(apiVersion) as number;
  if (table === 0)
    throw new ServingError('UNSUPPORTED', `ONNX Runtime ${version} refuses its API version ${apiVersion}`);
  return { version, apiVersion, table };
}

function bindTable(table: Address, apiVersion: number): OrtApi {
  const api: Partial<Record<OrtFunctionName, NativeFunction>> = {};
  for (const name of Object.keys(ORT_FUNCTIONS) as OrtFunctionName[]) {
    if (ORT_FUNCTIONS[name].since <= apiVersion) api[name] = bindRow(table, name);
  }
  return api as OrtApi;
}

function bindRow(table: Address, name: OrtFunctionName): NativeFunction {
  const koffi = koffiModule();
  const { slot, result, parameters } = ORT_FUNCTIONS[name];
  const prototype = koffi.proto(
    C_TYPES[result],
    parameters.map((word) => C_TYPES[word]),
  );
  return koffi.decode(BigInt(pointerAt(table, slot)), prototype) as NativeFunction;
}

function pointerAt(table: Address, index: number): Address {
  return Number(koffiModule().decode(BigInt(table) + BigInt(index * 8), C_TYPES.ptr));
}
