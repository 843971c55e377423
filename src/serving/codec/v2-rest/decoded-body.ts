import type { OutputRequest, Parameters, SequencePart, Tensor } from '../../../core/index.js';
import type { ReplyFormat } from './reply-format.js';

/** What an inference body itself says; path, headers and clock add the rest of the request. */
export interface DecodedBody {
  /** Top-level `model_name`, undefined where absent: only WebSocket frames look at it. */
  readonly modelName: string | undefined;
  readonly id: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly OutputRequest[];
  readonly parameters: Parameters;
  readonly priority: number;
  readonly timeoutUs: number;
  readonly sequence: SequencePart | undefined;
  readonly format: ReplyFormat;
}
