import type { Address } from '../native-memory.js';
import { NativeMemory } from '../native-memory.js';
import type { OrtSession } from '../session.js';
import { readSignature } from '../signature.js';
import { check } from '../status.js';
import type { DeviceMemory } from './bound-tensor.js';
import type { BoundDevice } from './program-block.js';

const GPU = 1;
const HOST_ACCESSIBLE = 5;
/** `OrtDeviceAllocator`, `OrtMemTypeDefault`. */
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;

/** The names of the tensors that a session reads or writes on its device; all others it has in this process's memory. */
export function tensorsOnDevice(
  session: OrtSession,
  device: BoundDevice,
): { inputs: Set<string>; outputs: Set<string> } {
  const { inputs, outputs } = readSignature(session.library, session.address);
  const names = {
    inputs: inputs.map((tensor) => tensor.name),
    outputs: outputs.map((tensor) => tensor.name),
  };
  // A stand-in for a device is this memory too, whatever the session says.
  if (device.copies === 'memcpy') return { inputs: new Set(names.inputs), outputs: new Set(names.outputs) };
  return {
    inputs: onGpu(session, 'SessionGetMemoryInfoForInputs', names.inputs),
    outputs: onGpu(session, 'SessionGetMemoryInfoForOutputs', names.outputs),
  };
}

function onGpu(
  session: OrtSession,
  ask: 'SessionGetMemoryInfoForInputs' | 'SessionGetMemoryInfoForOutputs',
  names: readonly string[],
): Set<string> {
  const { api, scratch } = session.library;
  const infos = new NativeMemory(names.length * 8);
  check(api, api[ask](session.address, infos.address, names.length));
  return new Set(
    names.filter((_, i) => {
      api.MemoryInfoGetDeviceType(infos.word(i), scratch.address);
      return scratch.int(0) === GPU && api.MemoryInfoGetDeviceMemType(infos.word(i)) !== HOST_ACCESSIBLE;
    }),
  );
}

/** Memory of the session's device, from the session's own arena. `close` after everything of it is freed. */
export class SessionMemory implements DeviceMemory {
  readonly info: Address;
  readonly #session: OrtSession;
  readonly #allocator: Address;

  constructor(session: OrtSession, device: BoundDevice) {
    this.#session = session;
    const { api, scratch } = session.library;
    const name = device.copies === 'cuda' ? 'Cuda' : 'Cpu';
    check(api, api.CreateMemoryInfo(name, DEVICE_ALLOCATOR, device.deviceId, DEFAULT_MEMORY, scratch.address));
    this.info = scratch.word(0);
    check(api, api.CreateAllocator(session.address, this.info, scratch.address));
    this.#allocator = scratch.word(0);
  }

  allocate(bytes: number): Address {
    const { api, scratch } = this.#session.library;
    check(api, api.AllocatorAlloc(this.#allocator, bytes, scratch.address));
    return scratch.word(0);
  }

  free(address: Address): void {
    const { api } = this.#session.library;
    check(api, api.AllocatorFree(this.#allocator, address));
  }

  close(): void {
    const { api } = this.#session.library;
    api.ReleaseAllocator(this.#allocator);
    api.ReleaseMemoryInfo(this.info);
  }
}
