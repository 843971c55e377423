import { type ModelSpec, ServingError } from '../../../../core/index.js';
import {
  decodePlainCsv,
  decodePlainFields,
  decodePlainForm,
  decodePlainJson,
  decodePlainNpy,
  imageInput,
  isFieldsBody,
  isNpy,
  type PlainBody,
} from '../../../codec/index.js';
import type { Awaitable } from '../../ports.js';
import type { DecodedCall, FormContext, InferForm } from '../form/infer-form.js';
import { plainCall, withSpec } from './plain-call.js';

/** `POST /predict/MODEL`: ordinary JSON, images, forms, arrays of NumPy and CSV in; ordinary JSON out. */
export function plainForm(): InferForm {
  return { decode: (body, context) => withSpec(context, (spec) => decodePlainBody(body, spec, context)) };
}

const FIELDS = 'application/x-www-form-urlencoded';

/** How a body of a media type is read. */
type Read = (body: Uint8Array, spec: ModelSpec, context: FormContext) => Awaitable<PlainBody>;

const picture: Read = (body, spec, context) => {
  const input = imageInput(spec, `a body of ${mediaType(context.contentType)}`);
  const file = context.ownedBody();
  return {
    tensors: [],
    pictures: [{ spec: input, body: file, places: [{ start: 0, bytes: body.byteLength }] }],
    batch: false,
    rows: 1,
  };
};

const json: Read = (body, spec, context) => {
  if (body.byteLength < context.server.offloadJsonBytes) return decodePlainJson(body, spec);
  return decodedOffThread(context.ownedBody(), spec, context);
};

async function decodedOffThread(body: Uint8Array, spec: ModelSpec, context: FormContext): Promise<PlainBody> {
  const { id, inputs, maxBatchSize } = spec;
  const input = { body, model: { id, inputs, maxBatchSize } };
  return (await context.server.offload.run('decodePlain', input, context.signal())) as PlainBody;
}

/** The call of a large JSON body that is an ArrayBuffer's own, and is decoded on a pool thread. */
export async function plainJsonCall(body: Uint8Array, spec: ModelSpec, context: FormContext): Promise<DecodedCall> {
  return plainCall(await decodedOffThread(body, spec, context), spec, context);
}

/** By media type; what no client means by what it says (`curl -d`) is JSON. */
const READERS: Readonly<Record<string, Read>> = {
  '': json,
  'application/json': json,
  [FIELDS]: (body, spec, context) => (isFieldsBody(body) ? decodePlainFields(body, spec) : json(body, spec, context)),
  'text/plain': json,
  'image/jpeg': picture,
  'image/jpg': picture,
  'image/png': picture,
  'image/webp': picture,
  'image/gif': picture,
  'application/octet-stream': (body, spec, context) =>
    isNpy(body) ? decodePlainNpy(body, spec) : picture(body, spec, context),
  'application/x-npy': (body, spec) => decodePlainNpy(body, spec),
  'application/x-image': picture,
  'multipart/form-data': (body, spec, { contentType }) => decodePlainForm(body, contentType, spec),
  'text/csv': (body, spec) => decodePlainCsv(body, spec),
};

/** Media types of bodies that are JSON. */
const JSON_MEDIA: ReadonlySet<string> = new Set(['', 'application/json', FIELDS, 'text/plain']);

/** The media types that plain routes take, for the documentation. */
export const PLAIN_MEDIA: readonly string[] = [
  'application/json',
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/gif',
  'application/octet-stream',
  'application/x-npy',
  FIELDS,
  'multipart/form-data',
  'text/csv',
];

/** Reads a plain body by its media type. Throws UNSUPPORTED_MEDIA, and what refuses the body. */
export function decodePlainBody(body: Uint8Array, spec: ModelSpec, context: FormContext): Awaitable<DecodedCall> {
  const media = mediaType(context.contentType);
  const read = Object.hasOwn(READERS, media) ? READERS[media] : undefined;
  if (read === undefined)
    throw new ServingError(
      'UNSUPPORTED_MEDIA',
      `the media type '${media.slice(0, 80)}' is not taken here: expected ${PLAIN_MEDIA.join(', ')}`,
    );
  const decoded = read(body, spec, context);
  return decoded instanceof Promise
    ? decoded.then((plain) => plainCall(plain, spec, context))
    : plainCall(decoded, spec, context);
}

/** Whether a body of this media type is read as JSON. */
export function isJsonBody(contentType: string, body: Uint8Array): boolean {
  const media = mediaType(contentType);
  return JSON_MEDIA.has(media) && !(media === FIELDS && isFieldsBody(body));
}

function mediaType(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}
