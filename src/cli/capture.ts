import { EXIT_CODES } from './exit-codes.js';
import type { CliIo } from './io.js';
import { textTable } from './text-table.js';
import { type CaptureState, V2Client } from './v2-client.js';

export interface CaptureOptions {
  /** Address of the admin API. */
  readonly url: string;
  readonly token: string | undefined;
  /** Undefined: nothing is changed. */
  readonly change: { readonly model: string; readonly percent: number } | undefined;
  readonly json: boolean;
}

/** `penstock capture [MODEL PERCENT]`: shows which requests a running gateway captures, or changes it. */
export async function capture({ url, token, change, json }: CaptureOptions, io: CliIo): Promise<number> {
  const client = new V2Client(url, undefined, token);
  const state = change === undefined ? await client.capture() : await client.setCapture(change.model, change.percent);
  io.stdout.write(json ? `${JSON.stringify(state)}\n` : text(state));
  return EXIT_CODES.done;
}

function text({ folder, percent, figures }: CaptureState): string {
  if (folder === undefined) return 'nothing is captured: the configuration names no folder (capture.folder)\n';
  const rows = Object.entries(percent).map(([model, value]) => [model, `${value} %`]);
  const table = rows.length === 0 ? 'no model is captured\n' : textTable(['MODEL', 'CAPTURED'], rows);
  const dropped = Object.entries(figures.dropped).filter(([, count]) => count > 0);
  const lost = dropped.length === 0 ? 'none' : dropped.map(([cause, count]) => `${count} ${cause}`).join(', ');
  return `${table}${figures.written} requests in ${figures.files} files (${figures.bytes} bytes) in ${folder}; dropped: ${lost}\n`;
}
