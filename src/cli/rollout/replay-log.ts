import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type LoggedEntry, type Replay, replay } from '../../delivery/index.js';
import type { AdminFlags } from '../admin-client.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import type { RolloutReport } from './report.js';
import { rolloutClient, textOf } from './steer.js';

export type ReplayFlags = AdminFlags & { readonly json?: boolean };

/** Decides a rollout anew from its log, of a report's JSON or of the gateway; fails where it comes to anything else. */
export async function replayLog(given: string, flags: ReplayFlags, io: CliIo): Promise<number> {
  const entries = existsSync(resolve(io.cwd, given))
    ? logOf(textOf(given, io), given)
    : (await rolloutClient(flags, io).log(given)).lines;
  const again = replayed(entries, given);
  io.stdout.write(flags.json === true ? `${JSON.stringify(again, undefined, 2)}\n` : replayText(again));
  return again.differences.length === 0 ? EXIT_CODES.done : EXIT_CODES.failed;
}

function logOf(text: string, file: string): readonly LoggedEntry[] {
  let report: Partial<RolloutReport>;
  try {
    report = JSON.parse(text) as Partial<RolloutReport>;
  } catch {
    throw new CliError(`${file}: not JSON: expected what penstock rollout report --out wrote`, EXIT_CODES.usage);
  }
  if (report?.penstock === 'rollout-report/1' && Array.isArray(report.log)) return report.log;
  throw new CliError(
    `${file}: no report of a rollout: expected what penstock rollout report --out wrote`,
    EXIT_CODES.usage,
  );
}

function replayed(entries: readonly LoggedEntry[], given: string): Replay {
  try {
    return replay(entries);
  } catch (thrown) {
    throw new CliError(`${given}: the log cannot be folded: ${(thrown as Error).message}`);
  }
}

function replayText({ state, observations, verdicts, moves, differences }: Replay): string {
  const head = `${observations} observations, ${verdicts} verdicts, ${moves} moves, ends ${state}\n`;
  if (differences.length === 0) return `${head}every verdict and every move is the same\n`;
  return `${head}${differences.map((difference) => `differs: ${difference}\n`).join('')}`;
}
