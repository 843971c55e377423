import { ServingError } from '../../../../core/index.js';
import { type Call, messageBytes, type NamedModel, namedModel } from '../../../codec/index.js';
import type { Caller } from '../../../controlplane/index.js';
import type { Awaitable } from '../../ports.js';
import { signatureDefMap } from '../../tf-serving/model-metadata.js';
import { modelStatus } from '../../tf-serving/model-status.js';
import { frameOf } from '../framing/frame.js';
import type { CallHandler } from '../framing/method.js';
import type { ServerCall } from '../framing/server-call.js';
import { grpcCaller } from '../grpc-caller.js';
import type { GrpcState } from '../grpc-options.js';
import { failureOf } from '../grpc-status.js';
import { reloadConfig, type ServerConfigMessage } from './reload-config.js';

type SpecMessage = Parameters<typeof namedModel>[0];

interface ModelRequest {
  readonly model_spec: SpecMessage;
  readonly metadata_field: readonly string[];
  readonly config: ServerConfigMessage | null;
  readonly metric_names: readonly string[];
}

type ModelHandler = (state: GrpcState, request: ModelRequest, caller: Caller) => Awaitable<unknown>;

/** The calls of TensorFlow Serving's services that are no inferences. */
const MODEL_CALLS: Readonly<Record<string, ModelHandler>> = {
  GetModelMetadata: async (state, { model_spec, metadata_field }) => {
    const named = namedModel(model_spec);
    if (metadata_field.length === 0)
      throw new ServingError('MALFORMED_REQUEST', `metadata_field is empty, expected "${METADATA}"`);
    const unknown = metadata_field.find((field) => field !== METADATA);
    if (unknown !== undefined)
      throw new ServingError(
        'MALFORMED_REQUEST',
        `metadata_field is ${JSON.stringify(unknown)}, expected "${METADATA}"`,
      );
    const spec = await state.specs.specOf(named.model, await versionOf(state, named));
    const value = messageBytes(SIGNATURE_MAP, signatureDefMap(spec));
    return {
      model_spec: specMessage(spec.id.model, spec.id.version, ''),
      metadata: { [METADATA]: { type_url: `type.googleapis.com/${SIGNATURE_MAP}`, value } },
    };
  },
  GetModelStatus: async (state, { model_spec }) => {
    const named = namedModel(model_spec);
    return { model_version_status: await modelStatus(state.control, named.model, await versionOf(state, named)) };
  },
  HandleReloadConfigRequest: async (state, { config, metric_names }, caller) => {
    if (state.inFlight.draining) throw new ServingError('DRAINING', 'the server is shutting down');
    if (metric_names.length > 0)
      throw new ServingError('UNSUPPORTED', 'metric_names is not supported; metrics are on the metrics port');
    await reloadConfig(state.control, config, caller);
    return { status: { error_code: 'OK', error_message: '' } };
  },
};

const METADATA = 'signature_def';
const SIGNATURE_MAP = 'tensorflow.serving.SignatureDefMap';

/** A handler for a call that is no inference; one that is not offered says so. */
export function modelCall(call: Call, state: GrpcState): (surface: ServerCall) => CallHandler {
  const handler = MODEL_CALLS[call.name];
  return (surface) => ({
    message(bytes) {
      if (handler === undefined) {
        surface.fail(
          new ServingError(
            'UNSUPPORTED',
            `${call.name} is not supported: models have inputs and outputs, and no graph whose nodes a client could name; use Predict`,
          ),
        );
        return;
      }
      state.inFlight.enter();
      // Settles by itself: every failure is answered inside.
      void answer(call, handler, state, surface, bytes).finally(() => state.inFlight.leave());
    },
    halfClosed() {},
    cancelled() {},
  });
}

async function answer(
  call: Call,
  handler: ModelHandler,
  state: GrpcState,
  surface: ServerCall,
  bytes: Buffer,
): Promise<void> {
  try {
    const told = await handler(state, call.decode(bytes) as ModelRequest, grpcCaller(surface));
    surface.answer(frameOf(call.encode(told)));
  } catch (thrown) {
    surface.fail(failureOf(thrown, call.name, state.log));
  }
}

/** A `ModelSpec` of an answer. */
export function specMessage(name: string, version: number, signature: string): object {
  return { name, version: { value: version }, signature_name: signature };
}

/** The version that a request names, by number or label; undefined: none. */
export function versionOf({ specs }: GrpcState, { model, version, label }: NamedModel): Awaitable<number | undefined> {
  return label === '' ? version : specs.versionOf(model, label);
}
