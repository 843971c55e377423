import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError, EXIT_CODES } from '../exit-codes.js';

/**
 * Puts the suggested lines into a model's folder: as `config.yaml` where it has no config, else beside its config as
 * `config.tuned.pbtxt` or `config.tuned.yaml`, which nobody reads but the person: a config keeps its comments and its other
 * settings. What was done, and what is left to do.
 */
export function writeSuggestion(
  folder: string | undefined,
  suggestion: { readonly pbtxt: string; readonly yaml: string },
): string {
  if (folder === undefined)
    throw new CliError(
      '--write: the model file lies in no repository; lay it out as NAME/1/model.onnx, or copy the lines above',
      EXIT_CODES.usage,
    );
  const own = ['config.pbtxt', 'config.yaml'].find((name) => existsSync(join(folder, name)));
  const [name, content] =
    own === 'config.pbtxt'
      ? ['config.tuned.pbtxt', suggestion.pbtxt]
      : [own === undefined ? 'config.yaml' : 'config.tuned.yaml', suggestion.yaml];
  const path = join(folder, name);
  try {
    writeFileSync(path, `# Suggested by penstock tune.\n${content}`);
  } catch (thrown) {
    throw new CliError(
      `--write: cannot write ${path} (${(thrown as NodeJS.ErrnoException).code}); copy the lines above instead`,
    );
  }
  return own === undefined
    ? `wrote ${path}; the next load of the model takes it`
    : `wrote ${path}; take over into ${own} what you want of it, it is not read by itself`;
}
