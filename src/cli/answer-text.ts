import type { Tensor } from '../core/index.js';
import { decodeElements, type Element, elementText } from '../elements/index.js';
import { textTable } from './text-table.js';
import type { Answer } from './v2-client.js';

const MOST_ELEMENTS_SHOWN = 8;

/** An answer as the JSON body of the protocol, in one line; 64-bit integers keep all their digits, floats as many as they need. */
export function answerJson({ model, version, outputs }: Answer): string {
  const shown = outputs.map((output) => {
    const head = JSON.stringify({ name: output.name, datatype: output.dataType, shape: output.shape }).slice(0, -1);
    return `${head},"data":[${jsonTexts(output).join(',')}]}`;
  });
  return `{"model_name":${JSON.stringify(model)},"model_version":${JSON.stringify(version)},"outputs":[${shown.join(',')}]}\n`;
}

/** An answer for reading: one row an output and batch row, long rows cut. */
export function answerTable({ model, version, outputs }: Answer): string {
  const rows = outputs.flatMap((output) =>
    rowsOf(output).map((row, i, all) => [
      all.length > 1 ? `${output.name}[${i}]` : output.name,
      output.dataType,
      `[${output.shape.join(', ')}]`,
      row,
    ]),
  );
  return `${model}${version === '' ? '' : ` version ${version}`}\n\n${textTable(['OUTPUT', 'TYPE', 'SHAPE', 'VALUES'], rows)}`;
}

function rowsOf({ dataType, shape, data }: Tensor): string[] {
  const elements = decodeElements(dataType, data);
  const count = shape.length > 1 ? shape[0]! : 1;
  const length = count === 0 ? 0 : elements.length / count;
  return Array.from({ length: Math.max(1, count) }, (_, i) => rowText(elements.slice(i * length, (i + 1) * length)));
}

function rowText(elements: readonly Element[]): string {
  const shown = elements
    .slice(0, MOST_ELEMENTS_SHOWN)
    .map((element) => (typeof element === 'number' ? String(Number(element.toPrecision(6))) : plainText(element)));
  const rest = elements.length - shown.length;
  const best =
    rest > 0 && elements.every((element) => typeof element === 'number')
      ? ` (largest at ${largest(elements as number[])})`
      : '';
  return shown.join(' ') + (rest > 0 ? ` ... ${rest} more${best}` : '');
}

function largest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

function plainText(element: Element): string {
  return element instanceof Uint8Array ? Buffer.from(element).toString('utf8') : String(element);
}

function jsonTexts({ dataType, data }: Tensor): string[] {
  return decodeElements(dataType, data).map((element) =>
    element instanceof Uint8Array
      ? JSON.stringify(Buffer.from(element).toString('utf8'))
      : elementText(dataType, element),
  );
}
