import type { MediaType, OpenApiDocument, Operation } from './openapi.js';

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.5rem;border-bottom:1px solid #cdd5df}h3{font-size:1rem;margin:1.8rem 0 .2rem}
code,pre{font:14px/1.45 ui-monospace,monospace}pre{background:#f2f5f8;padding:.8rem;overflow:auto;border-radius:4px}
.method{display:inline-block;min-width:3.2rem;font-weight:700}p{margin:.3rem 0}table{border-collapse:collapse}td{padding:.1rem .8rem .1rem 0;vertical-align:top}
summary{cursor:pointer}@media(prefers-color-scheme:dark){body{background:#14181f;color:#dde3ea}pre{background:#1f2630}h2{border-color:#39424e}}`;

/** The document as one page of HTML that loads nothing from elsewhere; `place` is the page's own path. */
export function docsPage(document: OpenApiDocument, place: string): string {
  const byTag = new Map<string, string[]>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags[0] ?? '';
      byTag.set(tag, [...(byTag.get(tag) ?? []), section(method, path, operation)]);
    }
  }
  const body = [...byTag].map(([tag, sections]) => `<h2>${escaped(tag)}</h2>\n${sections.join('\n')}`).join('\n');
  const schemas = Object.entries(document.components.schemas)
    .map(
      ([name, schema]) =>
        `<details id="${escaped(name)}"><summary><code>${escaped(name)}</code></summary>${json(schema)}</details>`,
    )
    .join('\n');
  const { title, version, description } = document.info;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)} API</title><style>${STYLE}</style></head><body>
<h1>${escaped(title)} ${escaped(version)}</h1>
<p>${escaped(description)} The same as <a href="${escaped(place)}/openapi.json">OpenAPI 3.1</a>.</p>
${body}
<h2>schemas</h2>
${schemas}
</body></html>
`;
}

function section(method: string, path: string, operation: Operation): string {
  const parameters = operation.parameters
    .map(
      (parameter) =>
        `<tr><td><code>${escaped(String(parameter.name))}</code></td><td>${escaped(String(parameter.in))}</td><td>${escaped(String(parameter.description ?? ''))}</td></tr>`,
    )
    .join('');
  const responses = Object.entries(operation.responses)
    .map(
      ([status, answer]) =>
        `<tr><td><code>${escaped(status)}</code></td><td>${escaped((answer as { description: string }).description)}</td></tr>`,
    )
    .join('');
  return `<h3 id="${escaped(operation.operationId)}"><span class="method">${method.toUpperCase()}</span> <code>${escaped(path)}</code></h3>
<p>${escaped(operation.summary)}</p>${operation.description === undefined ? '' : `<p>${escaped(operation.description)}</p>`}${rightText(operation)}
<table>${parameters}</table><table>${responses}</table>${examples(path, operation.requestBody?.content['application/json'])}`;
}

function rightText({ security }: Operation): string {
  const [needed, without] = security ?? [];
  if (needed === undefined) return '';
  if (without !== undefined) return '<p>From another machine: needs a token with the scope admin.</p>';
  const [scope] = Object.values(needed as Record<string, readonly string[]>)[0] ?? [];
  return `<p>Needs a token with the scope ${escaped(scope ?? 'admin')}.</p>`;
}

function examples(path: string, media: MediaType | undefined): string {
  if (media?.examples === undefined || path.includes('{version}')) return '';
  return Object.entries(media.examples)
    .map(([model, { summary, value }]) => {
      const target = path.replace('{model}', encodeURIComponent(model));
      return `<details><summary>${escaped(summary)}</summary><pre>POST ${escaped(target)}\n\n${escaped(JSON.stringify(value))}</pre></details>`;
    })
    .join('\n');
}

function json(value: unknown): string {
  return `<pre>${escaped(JSON.stringify(value, undefined, 2))}</pre>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}
