import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { ClientMemory, MemoryRegions } from '../core/index.js';
import { type KnownRegion, NO_REGIONS, Regions, ThreadRegions } from '../serving/transport/index.js';

/** What a thread that takes requests needs to get at memory of clients. */
export interface ClientMemorySettings {
  /** Each message has all regions; read on demand, never listened to. */
  readonly port: MessagePort;
  /** Counts changes: of each the port has a message before it is counted. */
  readonly changes: SharedArrayBuffer;
}

/** Of this thread; undefined where no memory of clients is taken. */
export function clientMemoryOf(settings: ClientMemorySettings | undefined): ClientMemory | undefined {
  if (settings === undefined) return undefined;
  const { port } = settings;
  const changes = new Int32Array(settings.changes);
  let seen = 0;
  const memory = new ThreadRegions(() => {
    const now = Atomics.load(changes, 0);
    if (now === seen) return;
    seen = now;
    // The last one says all.
    let last: readonly KnownRegion[] | undefined;
    for (let sent = receiveMessageOnPort(port); sent !== undefined; sent = receiveMessageOnPort(port))
      last = sent.message;
    if (last !== undefined) memory.are(last);
  });
  port.unref();
  return memory;
}

/** Memory that clients have registered, told to all threads: one that is registered can be used on each of them when the call is answered. */
export class ClientMemories {
  readonly allowed: boolean;
  readonly regions: MemoryRegions;
  readonly #changes = new SharedArrayBuffer(4);
  readonly #ports = new Set<MessagePort>();
  #last: readonly KnownRegion[] = [];

  constructor(allowed: boolean) {
    this.allowed = allowed;
    this.regions = allowed ? new Regions((regions) => this.#tell(regions)) : NO_REGIONS;
  }

  /** For a thread that takes requests. */
  sourceSettings(): ClientMemorySettings | undefined {
    if (!this.allowed) return undefined;
    const { port1, port2 } = new MessageChannel();
    this.#ports.add(port1);
    // The thread has ended.
    port1.on('close', () => this.#ports.delete(port1));
    port1.unref();
    port1.postMessage(this.#last);
    return { port: port2, changes: this.#changes };
  }

  close(): void {
    for (const port of this.#ports) port.close();
  }

  #tell(regions: readonly KnownRegion[]): void {
    this.#last = regions;
    for (const port of this.#ports) port.postMessage(regions);
    Atomics.add(new Int32Array(this.#changes), 0, 1);
  }
}
