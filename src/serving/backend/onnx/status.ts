import type { OrtApi } from './library.js';
import type { Address } from './native-memory.js';

/** What ONNX Runtime answered where it refused: its error code and text. Not for callers as it is: see `publicText`. */
export class OrtFailure extends Error {
  /** `OrtErrorCode`. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'OrtFailure';
    this.code = code;
  }
}

/** Throws an `OrtFailure` where `status` is one; the status is released. */
export function check(api: OrtApi, status: Address): void {
  if (status !== 0) throw takeFailure(api, status);
}

/** The failure that a non-null status holds; the status is released. */
export function takeFailure(api: OrtApi, status: Address): OrtFailure {
  const code = api.GetErrorCode(status);
  const message = api.GetErrorMessage(status) as unknown as string;
  api.ReleaseStatus(status);
  return new OrtFailure(code, message);
}

/** Source positions of ONNX Runtime's own build: `/onnxruntime_src/.../model.cc:187 `. */
const SOURCE_POSITION = /(?:\/[\w.+-]+)+\.(?:cc|cpp|cu|cuh|h|hpp):\d+ ?/g;

/** What `cuda_call.cc` adds to a CUDA failure: this machine's name, its own source and expression. */
const CUDA_PLACE = / ; hostname=.*?(?= ; expr=|$)/g;

/**
 * ONNX Runtime's text without this machine's folders: `folders` are cut off the paths that start with them, positions in
 * ONNX Runtime's sources are dropped. Names of graph nodes, which look like paths (`/conv1/Conv`), stay.
 */
export function publicText(message: string, folders: readonly string[]): string {
  let text = message.replace(SOURCE_POSITION, '').replace(CUDA_PLACE, '');
  for (const folder of folders) {
    if (folder.length > 1) text = text.replaceAll(`${folder}/`, '').replaceAll(folder, '');
  }
  return text.trim();
}
