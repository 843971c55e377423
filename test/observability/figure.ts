import { appendFileSync } from 'node:fs';

/** Says what a part measured: `run.mjs` prints it beside its name. */
export function figure(line: string): void {
  const file = process.env.FIGURE;
  if (file === undefined) console.log(line);
  else appendFileSync(file, `${line}\n`);
}
