import { ServingError } from '../../../../core/index.js';
import { encodeOpenAiEmbeddings, finished, openAiError, vectorOf } from '../../../codec/index.js';
import { callOfTexts } from '../../texts/asked-texts.js';
import type { InferForm } from '../form/infer-form.js';
import { textBody } from './text-body.js';

const errorAnswer = (error: ServingError) => ({ contentType: 'application/json', body: openAiError(error) });

/** `POST /v1/embeddings`. */
export function openAiEmbeddingsForm(): InferForm {
  return {
    errorAnswer,
    async decode(body, context) {
      const asked = await textBody('openAi', body, context);
      return callOfTexts(
        {
          model: asked.model,
          tasks: ['embed'],
          texts: asked.texts,
          encodingFormats: [asked.base64 ? 'base64' : 'float'],
          take: (response, { text }, tokens) =>
            finished(
              vectorOf(response, text, tokens),
              asked.dimensions,
              text.normalize || asked.dimensions !== undefined,
            ),
          encode: (vectors, { spec }, { tokens }) => encodeOpenAiEmbeddings(asked, spec.id.model, vectors, tokens),
        },
        context,
      );
    },
  };
}

/** A route of OpenAI's that is not served, and says why. */
export function openAiRefusal(why: string): () => InferForm {
  return () => ({
    errorAnswer,
    decode: () => {
      throw new ServingError('UNSUPPORTED', why);
    },
  });
}
