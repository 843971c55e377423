import { FLAGS, serverSettings } from '../config/index.js';

/** The flags of `serve` with defaults and meanings, written from the schema. */
export function serveFlagsHelp(): string {
  const settings = new Map(serverSettings().map((setting) => [setting.path, setting]));
  const entries = FLAGS.map((flag) => {
    const setting = flag.path === undefined ? undefined : settings.get(flag.path.join('.'));
    const value =
      flag.kind === 'boolean'
        ? '[=true|false]'
        : flag.kind === 'pair'
          ? ' <backend,key=value>'
          : flag.kind === 'number'
            ? ' <number>'
            : flag.kind === 'weight'
              ? ' <name=number>'
              : ' <text>';
    const description =
      setting?.description ?? 'Configuration file; default penstock.yaml of the working folder, where there is one';
    const fallback = setting?.defaultValue;
    const shown =
      fallback === undefined ||
      (Array.isArray(fallback) && fallback.length === 0) ||
      (typeof fallback === 'object' && fallback !== null)
        ? ''
        : ` (default ${String(fallback)})`;
    const names = [flag.name, ...flag.aliases].map((name) => `--${name}`).join(', ');
    return {
      head: `  ${names}${flag.negates ? '' : value}${flag.repeatable ? ' ...' : ''}`,
      text: flag.negates ? `Turns this off: ${description}` : description + shown,
    };
  });
  return ['Flags:', ...entries.map(({ head, text }) => `${head}\n      ${text}`)].join('\n');
}
