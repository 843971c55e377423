import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ServingError } from '../../../core/index.js';
import { UWS_BINARIES } from './binaries.js';
import { LOWEST_GLIBC, relaxGlibcNeed, UPSTREAM_GLIBC } from './glibc-floor.js';
import { placeInPrivateCache } from './private-cache.js';
import type { Uws } from './uws-types.js';

/** Where a binary is to run. */
export interface Platform {
  readonly os: string;
  readonly cpu: string;
  /** `process.versions.modules`. */
  readonly abi: string;
  /** Version of the C library; undefined where it is not glibc. */
  readonly glibc: string | undefined;
}

/** Bytes of request headers uWebSockets.js takes unless the environment says otherwise; its own default of 4096 refuses a JWT beside tracing. */
const MAX_HEADER_BYTES = 65_536;

const SUPPORTED = `Penstock serves on Linux with glibc ${LOWEST_GLIBC} or newer (x64, arm64) and on macOS (arm64), with Node 20, 22, 24 or 25`;

let loaded: Uws | undefined;

/**
 * The uWebSockets.js library of this platform; the same object for every call in a thread. The binary's hash is checked
 * against a pinned table; on a glibc below 2.38 a relaxed copy from the user's cache folder is loaded (decisions/0001).
 * Throws `UNSUPPORTED` with what is supported where it cannot load. Costs some 40 ms once.
 */
export function loadUws(): Uws {
  loaded ??= openUws(currentPlatform());
  return loaded;
}

/** File name of the binary for a platform. Throws `UNSUPPORTED`. */
export function binaryName(platform: Platform): string {
  const { os, cpu, abi, glibc } = platform;
  const name = `uws_${os}_${cpu}_${abi}.node`;
  if (UWS_BINARIES[name] === undefined) throw unsupported(`${os} ${cpu} with Node ABI ${abi}`);
  if (os === 'linux' && glibc === undefined)
    throw unsupported(`${os} ${cpu} with another C library than glibc (musl?)`);
  if (os === 'linux' && isBelow(glibc as string, LOWEST_GLIBC)) throw unsupported(`${os} ${cpu} with glibc ${glibc}`);
  return name;
}

/** Whether the binary as published loads on a platform. */
export function needsRelaxing(platform: Platform): boolean {
  return platform.os === 'linux' && isBelow(platform.glibc as string, UPSTREAM_GLIBC);
}

/** Throws `UNSUPPORTED` where the content is not the binary that was pinned. */
export function checkBinary(name: string, content: Uint8Array): void {
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (sha256 !== UWS_BINARIES[name]) {
    throw new ServingError(
      'UNSUPPORTED',
      `${name} of uWebSockets.js has sha256 ${sha256}, expected ${UWS_BINARIES[name]}: install again with npm ci`,
    );
  }
}

function openUws(platform: Platform): Uws {
  // Read by the library's static initialisers; in the main thread this reaches the C environment, a worker inherits it there.
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= String(MAX_HEADER_BYTES);
  const name = binaryName(platform);
  let path = join(dirname(createRequire(import.meta.url).resolve('uWebSockets.js')), name);
  if (!existsSync(path)) {
    throw new ServingError(
      'UNSUPPORTED',
      `${name} is not in the package uWebSockets.js: it was pruned for another machine or another Node; install again with npm ci`,
    );
  }
  const content = readFileSync(path);
  checkBinary(name, content);
  if (needsRelaxing(platform)) {
    path = placeInPrivateCache(
      `${name.slice(0, -'.node'.length)}-${(UWS_BINARIES[name] as string).slice(0, 16)}-relaxed.node`,
      relaxGlibcNeed(content),
    );
  }
  const module = { exports: {} as Uws };
  process.dlopen(module, path);
  return module.exports;
}

function currentPlatform(): Platform {
  return { os: process.platform, cpu: process.arch, abi: process.versions.modules, glibc: glibcVersion() };
}

function glibcVersion(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
  const before = report.excludeNetwork;
  // Without this the report resolves the addresses of open sockets by DNS.
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  report.excludeNetwork = before ?? false;
  return header?.glibcVersionRuntime;
}

function isBelow(version: string, floor: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [floorMajor = 0, floorMinor = 0] = floor.split('.').map(Number);
  return major < floorMajor || (major === floorMajor && minor < floorMinor);
}

function unsupported(platform: string): ServingError {
  return new ServingError('UNSUPPORTED', `uWebSockets.js has no binary for ${platform}. ${SUPPORTED}.`);
}
