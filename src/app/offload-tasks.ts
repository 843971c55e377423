import type { ServerConfig } from '../config/index.js';

const TOKENIZER = new URL('../serving/tokenizer/tokenizer-tasks.js', import.meta.url);

/** How many of them there are: as the config says, else one for two cores. */
export function offloadThreads({ threads }: ServerConfig['offload'], cores: number): number {
  return threads ?? Math.max(1, Math.floor(cores / 2));
}

/** Modules whose pure functions run on pool threads. */
export const OFFLOAD_TASKS = {
  /** Decodes large JSON bodies. */
  decodeV2Json: new URL('../serving/codec/v2-rest/offload-decode.js', import.meta.url),
  decodePredict: new URL('../serving/codec/predict-rest/offload-predict.js', import.meta.url),
  decodeGenerate: new URL('../serving/codec/generate/offload-generate.js', import.meta.url),
  decodePlain: new URL('../serving/codec/plain/offload-plain.js', import.meta.url),
  /** Decodes and resizes images. */
  picturesToRows: new URL('../images/picture-rows.js', import.meta.url),
  decodeTexts: new URL('../serving/codec/texts/text-bodies.js', import.meta.url),
  tokenize: TOKENIZER,
  detokenize: TOKENIZER,
  inspectTokenizer: TOKENIZER,
};
