import { ServingError, type TensorSpec } from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { JsonScanner } from '../v2-rest/json-scanner.js';
import { type FormPart, formParts } from './multipart.js';
import type { PlainBody, PlainModel } from './plain-body.js';
import { fieldScanner, fieldText } from './plain-fields.js';
import { addNpy, isNpy } from './plain-npy.js';
import { imageInput, onlyInput, PlainTable } from './plain-table.js';

/**
 * Reads a `multipart/form-data` body by what the model takes. A part is a value of the input of its name, `[]` behind it left
 * away: a file an image or an array of `numpy.save`, a field JSON (for strings: its text). A file of another name is for the only input that takes images. One
 * part an input is one row, several are a batch; so is one whose name ends in `[]`. Throws as `decodePlainJson`.
 */
export function decodePlainForm(body: Uint8Array, contentType: string, spec: PlainModel): PlainBody {
  const table = new PlainTable(spec);
  let batch = false;
  for (const part of formParts(body, contentType)) {
    const name = part.name.replace(/\[\]$/, '');
    batch ||= name !== part.name;
    const file = part.filename !== undefined || part.contentType.startsWith('image/');
    const named = spec.inputs.find((input) => input.name === name);
    const array = file && isNpy(part.data);
    const unnamed = named === undefined && file;
    const given = !unnamed ? name : (array ? onlyInput(spec) : imageInput(spec, `file ${shown(name)}`)).name;
    const column = table.column(given);
    if (array) batch = addNpy(column, part.data, spec) || batch;
    else if (file) column.addPicture(pictureOf(part, column.spec));
    else {
      const text = fieldText(part.name, part.data);
      const json = part.contentType === 'application/json';
      const scan = json ? new JsonScanner(Buffer.from(text)) : fieldScanner(text, column.spec);
      column.readRow(scan, column.rows === 0 ? '' : ` of row ${column.rows}`);
      scan.finish();
    }
  }
  if (table.columns.size === 0) throw new ServingError('MALFORMED_REQUEST', 'the multipart/form-data body has no part');
  return table.body(batch || [...table.columns.values()].some(({ rows }) => rows > 1));
}

function pictureOf({ name, data }: FormPart, spec: TensorSpec): Uint8Array {
  if (spec.image !== undefined) return data;
  throw new ServingError(
    'UNSUPPORTED_MEDIA',
    `file ${shown(name)}: input ${shown(spec.name)} takes no images (images in the model's config)`,
  );
}
