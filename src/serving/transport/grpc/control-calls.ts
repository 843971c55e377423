import { ERRORS, parseVersion, ServingError } from '../../../core/index.js';
import type { Call } from '../../codec/index.js';
import type { Caller } from '../../controlplane/index.js';
import type { ControlPort } from '../ports.js';
import { frameOf } from './framing/frame.js';
import type { CallHandler } from './framing/method.js';
import type { ServerCall } from './framing/server-call.js';
import { grpcCaller } from './grpc-caller.js';
import type { GrpcState } from './grpc-options.js';
import { failureOf } from './grpc-status.js';
import { logSettingsMessage, logSettingsOf, traceSettingsMessage, traceSettingsOf } from './setting-messages.js';

/** Fields of the requests together; each request has some of them, filled with defaults. */
interface ControlRequest {
  readonly name: string;
  readonly version: string;
  readonly model_name: string;
  readonly repository_name: string;
  readonly ready: boolean;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly key: string;
  readonly offset: number;
  readonly byte_size: number;
  readonly settings: Parameters<typeof logSettingsOf>[0];
}

type ControlHandler = (control: ControlPort, request: ControlRequest, caller: Caller) => unknown;

/** Each call of the service that is not an inference, as the control plane's. Messages have the REST objects' fields. */
const CONTROL_CALLS: Readonly<Record<string, ControlHandler>> = {
  ServerLive: (control) => control.live(),
  ServerReady: (control) => control.ready(),
  ModelReady: async (control, { name, version }) => ({ ready: await modelReady(control, name, versionOf(version)) }),
  ServerMetadata: (control) => control.serverMetadata(),
  ModelMetadata: (control, { name, version }) => control.modelMetadata(name, versionOf(version)),
  ModelConfig: async (control, { name, version }) => ({ config: await control.modelConfig(name, versionOf(version)) }),
  ModelStatistics: (control, { name, version }) =>
    control.modelStatistics(name === '' ? undefined : name, versionOf(version)),
  RepositoryIndex: (control, { repository_name, ready }) => {
    refuseRepositoryName(repository_name);
    return control.repositoryIndex({ ready });
  },
  RepositoryModelLoad: async (control, { repository_name, model_name, parameters }, caller) => {
    refuseRepositoryName(repository_name);
    await control.repositoryLoad(model_name, parameters, caller);
    return {};
  },
  RepositoryModelUnload: async (control, { repository_name, model_name, parameters }, caller) => {
    refuseRepositoryName(repository_name);
    await control.repositoryUnload(model_name, parameters, caller);
    return {};
  },
  SystemSharedMemoryStatus: async (control, { name }) => regionsMessage(await control.sharedMemoryStatus(name)),
  SystemSharedMemoryRegister: async (control, { name, key, offset, byte_size }, caller) => {
    await control.sharedMemoryRegister(name, { key, offset, byte_size }, caller);
    return {};
  },
  SystemSharedMemoryUnregister: async (control, { name }, caller) => {
    await control.sharedMemoryUnregister(name, caller);
    return {};
  },
  CudaSharedMemoryStatus: async (control) => regionsMessage(await control.cudaMemoryStatus()),
  CudaSharedMemoryRegister: (control) => control.cudaMemoryRegister(),
  CudaSharedMemoryUnregister: async (control) => {
    await control.cudaMemoryUnregister();
    return {};
  },
  TraceSetting: async (control, { settings, model_name }, caller) => {
    const model = model_name === '' ? undefined : model_name;
    const asked = traceSettingsOf(settings as Parameters<typeof traceSettingsOf>[0]);
    const nothing = Object.keys(asked).length === 0;
    const found = nothing ? control.traceSettings(model) : control.setTraceSettings(model, asked, caller);
    return traceSettingsMessage(await found);
  },
  LogSettings: async (control, { settings }, caller) => {
    const asked = logSettingsOf(settings);
    const nothing = Object.keys(asked).length === 0;
    return logSettingsMessage(await (nothing ? control.logSettings() : control.setLogSettings(asked, caller)));
  },
};

/** Calls that change something: refused once the server drains, where questions are still answered. */
const CHANGES: ReadonlySet<string> = new Set(['RepositoryModelLoad', 'RepositoryModelUnload']);

/** A handler for any unary call that is not an inference; a call the tables do not know is UNSUPPORTED too. */
export function controlCall(call: Call, state: GrpcState): (surface: ServerCall) => CallHandler {
  const handler = CONTROL_CALLS[call.name];
  if (handler === undefined) {
    const refusal = new ServingError('UNSUPPORTED', `${call.name} is not supported`);
    return (surface) => oneMessage(() => surface.fail(refusal));
  }
  return (surface) =>
    oneMessage((bytes) => {
      state.inFlight.enter();
      // Not awaited: it settles the call whatever happens, and cannot reject.
      void answer(call, handler, state, bytes, grpcCaller(surface))
        .then(
          (encoded) => surface.answer(frameOf(encoded)),
          (thrown) => surface.fail(failureOf(thrown, call.name, state.log)),
        )
        .finally(() => state.inFlight.leave());
    });
}

/** The handler of a call whose work goes on when its client is gone: short, or a change that is not taken back. */
function oneMessage(message: (bytes: Buffer) => void): CallHandler {
  return { message, halfClosed() {}, cancelled() {} };
}

async function answer(
  call: Call,
  handler: ControlHandler,
  state: GrpcState,
  bytes: Buffer,
  caller: Caller,
): Promise<Buffer> {
  if (state.inFlight.draining && CHANGES.has(call.name))
    throw new ServingError('DRAINING', 'the server is shutting down');
  return call.encode(await handler(state.control, call.decode(bytes) as ControlRequest, caller));
}

/** As Triton, whose clients ask about models that may not exist: not ready, rather than an error. */
async function modelReady(control: ControlPort, name: string, version: number | undefined): Promise<boolean> {
  try {
    return (await control.modelReady(name, version)).ready;
  } catch (thrown) {
    if (thrown instanceof ServingError && ['NOT_FOUND', 'UNAVAILABLE'].includes(ERRORS[thrown.reason].grpc))
      return false;
    throw thrown;
  }
}

/** Regions by their names, as the message has them. */
function regionsMessage(regions: readonly { readonly name: string }[]): object {
  return { regions: Object.fromEntries(regions.map((region) => [region.name, region])) };
}

function versionOf(text: string): number | undefined {
  return text === '' ? undefined : parseVersion(text);
}

function refuseRepositoryName(name: string): void {
  if (name !== '')
    throw new ServingError('UNSUPPORTED', 'repository_name is not supported; leave it empty, all repositories are one');
}
