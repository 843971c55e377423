import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type LoggedEntry, traceOf } from '../../delivery/index.js';
import type { AdminFlags } from '../admin-client.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { reportHtml } from './report-html.js';
import { reportMarkdown } from './report-markdown.js';
import type { RolloutView } from './rollout-client.js';
import { rolloutClient } from './steer.js';

export interface ReportFlags extends AdminFlags {
  /** Files to write; none: Markdown on standard output. */
  readonly out?: string;
  readonly markdown?: string;
  readonly html?: string;
}

/** What a report holds: where the rollout stands, and its whole log, from which all else follows. */
export interface RolloutReport {
  readonly penstock: 'rollout-report/1';
  readonly status: RolloutView;
  readonly log: readonly LoggedEntry[];
}

/** Points of the plots. */
const POINTS = 240;

export async function reportRollout(id: string, flags: ReportFlags, io: CliIo): Promise<number> {
  const client = rolloutClient(flags, io);
  // The log first: it may grow, and the status must not be behind it.
  const status = await client.status(id);
  const { lines: log } = await client.log(status.id);
  const report: RolloutReport = { penstock: 'rollout-report/1', status, log };
  const trace = traceOf(log, POINTS);
  const files: [string | undefined, () => string][] = [
    [flags.out, () => `${JSON.stringify(report, undefined, 1)}\n`],
    [flags.markdown, () => reportMarkdown(report)],
    [flags.html, () => reportHtml(report, trace)],
  ];
  const wanted = files.filter(([file]) => file !== undefined);
  for (const [file, text] of wanted) write(file as string, text(), io);
  if (wanted.length === 0) io.stdout.write(reportMarkdown(report));
  return EXIT_CODES.done;
}

function write(file: string, text: string, io: CliIo): void {
  try {
    writeFileSync(resolve(io.cwd, file), text);
    io.stderr.write(`wrote ${file}\n`);
  } catch (thrown) {
    throw new CliError(`${file}: cannot be written (${(thrown as NodeJS.ErrnoException).code})`);
  }
}
