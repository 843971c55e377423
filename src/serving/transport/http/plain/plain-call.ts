import type { InferenceResponse, ModelSpec, OutputRequest, Tensor } from '../../../../core/index.js';
import { encodePlainReply, type PlainBody, type PlainPictures, requestOfParts } from '../../../codec/index.js';
import { type Awaitable, mapped } from '../../ports.js';
import { oneRequest } from '../form/decoded-call.js';
import type { DecodedCall, FormContext } from '../form/infer-form.js';

/** The call of a plain body: its pictures decoded on pool threads first. Rejects with what refuses them. */
export function plainCall(body: PlainBody, spec: ModelSpec, context: FormContext): Awaitable<DecodedCall> {
  const { tensors, pictures, batch } = body;
  if (pictures.length === 0) return callOf(tensors, batch, spec, context);
  const decoding = pictures.map((one) => decodedPictures(one, spec, context));
  return Promise.all(decoding).then((made) => callOf([...tensors, ...made], batch, spec, context));
}

async function decodedPictures(
  { spec, body, places }: PlainPictures,
  model: ModelSpec,
  context: FormContext,
): Promise<Tensor> {
  const { name, dataType, image } = spec;
  const batch = { input: name, dataType, recipe: image as NonNullable<typeof image>, body, places };
  const { shape, data } = await context.server.offload.run('picturesToRows', batch, context.signal());
  return { name, dataType, shape: model.maxBatchSize > 0 ? [places.length, ...shape] : shape, data };
}

function callOf(inputs: readonly Tensor[], batch: boolean, spec: ModelSpec, context: FormContext): DecodedCall {
  const { allowNan, replies } = context.server;
  const outputs = spec.plainAnswer?.outputs.map((name): OutputRequest => ({ name, classification: 0 })) ?? [];
  return oneRequest(requestOfParts(context, { inputs, outputs }), (response) => ({
    contentType: 'application/json',
    body: encodePlainReply(response, specOfAnswer(response, spec, context), { batch, allowNan, room: replies }),
  }));
}

/** Labels and forms are those of the version that answered; where that is gone by now, of the one that was asked. */
function specOfAnswer({ version }: InferenceResponse, asked: ModelSpec, context: FormContext): ModelSpec {
  if (version.version === asked.id.version) return asked;
  try {
    const found = context.server.specs.specOf(version.model, version.version);
    if (!(found instanceof Promise)) return found;
    found.catch(() => {});
  } catch {
    // Gone since it answered.
  }
  return asked;
}

/** The spec that a body is read by. Throws, or rejects with, what a request for that model is refused with. */
export function withSpec<T>(context: FormContext, read: (spec: ModelSpec) => Awaitable<T>): Awaitable<T> {
  const spec = context.server.specs.specOf(context.model, context.version);
  return spec instanceof Promise ? spec.then(read) : (mapped(spec, read) as Awaitable<T>);
}
