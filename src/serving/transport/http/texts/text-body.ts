import { decodeTextBody, type TextBody, type TextBodyKind } from '../../../codec/index.js';
import type { FormContext } from '../form/infer-form.js';

/** Reads a body of texts; large ones on a pool thread. Rejects with what `decodeTextBody` throws. */
export async function textBody<K extends TextBodyKind>(
  kind: K,
  body: Uint8Array,
  context: FormContext,
): Promise<TextBody<K>> {
  const { offload, offloadJsonBytes, texts } = context.server;
  if (body.byteLength < offloadJsonBytes) return decodeTextBody(kind, body, texts.maxClientBatchSize);
  const input = { kind, body: context.ownedBody(), most: texts.maxClientBatchSize };
  return (await offload.run('decodeTexts', input, context.signal())) as TextBody<K>;
}
