import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import {
  type Charge,
  FIXED_CHARGES,
  FIXED_TENANTS,
  type Lease,
  type ModelSpec,
  type Parameters,
  type RequestOrigin,
  type SequencePart,
  ServingError,
  type Tenant,
  type Tensor,
} from '../../core/index.js';
import { type Arena, LARGEST_BYTES } from '../arena/index.js';
import type { MemberFailed, MemberOutcome, QueueItem, RequestQueue } from '../batcher/index.js';
import { Bell } from './bell.js';
import { type CallMemory, CallTable, ROW_INPUT_WORDS } from './call-table.js';
import { HandleRing } from './handle-ring.js';
import { ResponseReceiver } from './response-lines.js';
import { fixedShape, outputBytes, slotBytes, type VersionLayout, versionLayout } from './version-layout.js';
import { errorOfWire, type WireError } from './wire-error.js';

/** Inputs that do not fit into their row, or lie in memory of their own. */
export interface BesideRequest {
  readonly inputs: readonly number[];
  /** Undefined: they lie in the arena. */
  readonly memory: SharedArrayBuffer | undefined;
}

/** The tenant of a request, before the thread has used it: its place stands in the row. */
export interface BesideTenant {
  readonly tenant: string;
}

/** The charge of a request, likewise; after that of the tenant. */
export interface BesideCharge {
  readonly route: string;
  readonly kind: Charge['kind'];
}

/** The place of a request in a sequence; after the charge. */
export interface BesideSequence {
  readonly sequence: SequencePart;
}

/** What a request says of itself, for the steps of an ensemble; after the sequence. */
export interface BesideOrigin {
  readonly origin: RequestOrigin;
}

/** The parameters of a request whose model is told of them; after the origin. */
export interface BesideParameters {
  readonly parameters: Parameters;
}

/** An answer that does not fit into its row. */
export type BesideReply =
  | (Omit<MemberFailed, 'error'> & { readonly error: WireError })
  /** Outputs whose size nobody knew before; each has a buffer of its own. */
  | { readonly kind: 'done'; readonly outputs: readonly Tensor[]; readonly figures: DoneFigures };

type DoneFigures = Omit<Extract<MemberOutcome, { kind: 'done' }>, 'outputs'>;

/** A call on its way: what waits for it here, and the memory that the control thread reads and writes meanwhile. */
interface Sent {
  readonly row: number;
  readonly item: QueueItem;
  readonly layout: VersionLayout;
  readonly slot: Slot;
  readonly outputsAt: number;
  /** The request's own memory, once it is settled and still read. */
  borrowed: Lease | undefined;
}

/** Where a call's inputs and outputs lie as far as they are not in the request's own memory. */
interface Slot {
  readonly memory: SharedArrayBuffer;
  /** First byte; what comes first is the inputs that had to be copied. */
  readonly at: number;
  /** Undefined: nothing is leased, or the memory is the call's own. */
  readonly lease: Lease | undefined;
}

export interface SenderParts {
  readonly memory: CallMemory;
  /** Whose memory the control thread sees. */
  readonly arena: Arena;
  /** For what does not fit into rows, read in the order of the rows that say so. */
  readonly beside: MessagePort;
  /** Where responses of decoupled models come by that are not the last of their request. */
  readonly responses: MessagePort;
  /** Wakes the control thread. */
  readonly wake: () => void;
}

/**
 * Calls from an ingress thread to the queues of the control thread. A call takes a row and, where it has to, a slot; both
 * are its own until its answer comes, exactly one for each call, whether it was cancelled or not.
 */
export class CallSender {
  readonly #table: CallTable;
  readonly #requests: HandleRing;
  readonly #replies: HandleRing;
  readonly #bell: Bell;
  readonly #arena: Arena;
  readonly #beside: MessagePort;
  readonly #responses: ResponseReceiver;
  /** Rows that are free; the last one used is the next one used, as its memory is still in the cache. */
  readonly #freeRows: number[];
  readonly #sent: (Sent | undefined)[];
  #inFlight = 0;
  readonly #words: number[] = [];
  /** Tenants that the control thread knows, by their place; as many as are remembered at once. */
  readonly #told: (Tenant | undefined)[] = [];
  /** Charges that it knows, by their index. */
  readonly #toldCharges: boolean[] = FIXED_CHARGES.map(() => true);

  constructor({ memory, arena, beside, responses, wake }: SenderParts) {
    this.#table = new CallTable(memory.rows);
    this.#requests = new HandleRing(memory.requests);
    this.#replies = new HandleRing(memory.replies);
    this.#bell = new Bell(this.#requests, wake);
    this.#arena = arena;
    this.#beside = beside;
    this.#responses = new ResponseReceiver(responses);
    this.#freeRows = Array.from({ length: this.#table.size }, (_, i) => this.#table.size - 1 - i);
    this.#sent = new Array(this.#table.size).fill(undefined);
  }

  /** Calls that wait for their answer. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** The queue of a version, by the number it was published under, or that of copies (`shadow`). */
  queueOf(version: number, spec: ModelSpec, shadow = false): RequestQueue {
    const layout = versionLayout(spec);
    return {
      enqueue: (item) => this.#send(version, layout, item, shadow),
      cancel: (item) => this.#cancel(item),
    };
  }

  #send(version: number, layout: VersionLayout, item: QueueItem, shadow: boolean): void {
    // Copies leave half of the rows to requests.
    const row = shadow && 2 * this.#freeRows.length < this.#table.size ? undefined : this.#freeRows.pop();
    if (row === undefined) {
      throw new ServingError(
        'QUEUE_FULL',
        `${this.#table.size} requests of this ingress thread are in flight, its most`,
      );
    }
    const { inputs, rows, parameters } = item.member;
    let slot: Slot;
    let copiedBytes: number;
    try {
      const resultBytes = outputBytes(layout, rows) ?? 0;
      copiedBytes = this.#bytesToCopy(inputs, resultBytes);
      slot = this.#slotOf(copiedBytes + resultBytes);
    } catch (thrown) {
      this.#freeRows.push(row);
      throw thrown;
    }
    this.#place(layout, inputs, slot);
    const outputsAt = slot.at + copiedBytes;
    const words = this.#words;
    const own = slot.memory === this.#arena.buffer ? undefined : slot.memory;
    const inside = own === undefined && words.length <= ROW_INPUT_WORDS;
    const named = this.#tellTenant(item.tenant);
    const chargeNamed = this.#tellCharge(item.charge);
    const sent = inside ? words : undefined;
    const origin = layout.steps ? originOf(item) : undefined;
    const watched = layout.steps && item.watched === true;
    this.#table.writeRequest(
      row,
      version,
      item,
      outputsAt,
      sent,
      named,
      chargeNamed,
      shadow,
      watched,
      origin !== undefined,
    );
    const { sequence } = item;
    if (sequence !== undefined) this.#beside.postMessage({ sequence } satisfies BesideSequence);
    if (origin !== undefined) this.#beside.postMessage({ origin } satisfies BesideOrigin);
    if (parameters !== undefined) this.#beside.postMessage({ parameters } satisfies BesideParameters);
    if (!inside) this.#beside.postMessage({ inputs: words, memory: own } satisfies BesideRequest);
    const call: Sent = { row, item, layout, slot, outputsAt, borrowed: undefined };
    this.#sent[row] = call;
    item.acceptedAs = call;
    this.#inFlight++;
    if (layout.spec.decoupled) this.#responses.begin(row, item.member.parts);
    this.#push(row << 1);
  }

  /** Sends the name of a tenant that the control thread does not know by its place yet. */
  #tellTenant(tenant: Tenant | undefined): boolean {
    if (tenant === undefined || tenant.index < FIXED_TENANTS.length || this.#told[tenant.index] === tenant)
      return false;
    this.#told[tenant.index] = tenant;
    this.#beside.postMessage({ tenant: tenant.name } satisfies BesideTenant);
    return true;
  }

  /** Sends what a charge is that the control thread does not know by its index yet. */
  #tellCharge(charge: Charge | undefined): boolean {
    if (charge === undefined || this.#toldCharges[charge.index] === true) return false;
    this.#toldCharges[charge.index] = true;
    this.#beside.postMessage({ route: charge.route, kind: charge.kind } satisfies BesideCharge);
    return true;
  }

  /** Throws `OVERLOADED` where the arena is full. What is larger than any of its slots has memory of its own. */
  #slotOf(bytes: number): Slot {
    if (bytes > LARGEST_BYTES) return { memory: new SharedArrayBuffer(bytes), at: 0, lease: undefined };
    if (bytes === 0) return { memory: this.#arena.buffer, at: 0, lease: undefined };
    const lease = this.#arena.lease(bytes);
    if (lease !== undefined) return { memory: this.#arena.buffer, at: lease.bytes.byteOffset, lease };
    throw new ServingError('OVERLOADED', `the memory for requests in flight has no room for ${bytes} bytes now`);
  }

  /** Inputs in the arena stay where they are, unless the call takes memory of its own: the control thread looks into one. */
  #bytesToCopy(inputs: readonly (Tensor | undefined)[], resultBytes: number): number {
    let bytes = 0;
    let all = 0;
    for (const tensor of inputs) {
      if (tensor === undefined) continue;
      const size = slotBytes(tensor.data.byteLength);
      all += size;
      if (tensor.data.buffer !== this.#arena.buffer) bytes += size;
    }
    return bytes + resultBytes > LARGEST_BYTES ? all : bytes;
  }

  /** Notes where the inputs lie, after copying what does not lie where the control thread looks. */
  #place({ inputs: layouts, batched }: VersionLayout, inputs: readonly (Tensor | undefined)[], slot: Slot): void {
    const words = this.#words;
    words.length = 0;
    let at = slot.at;
    for (let i = 0; i < layouts.length; i++) {
      const tensor = inputs[i];
      const { dimensions = 0 } = layouts[i] as VersionLayout['inputs'][number];
      if (tensor === undefined) words.push(-1, 0);
      else if (tensor.data.buffer === slot.memory) words.push(tensor.data.byteOffset, tensor.data.byteLength);
      else {
        const { data } = tensor;
        this.#arena.copy(new Uint8Array(slot.memory, at, data.byteLength), 0, data);
        words.push(at, data.byteLength);
        at += slotBytes(data.byteLength);
      }
      for (let axis = 0; axis < dimensions; axis++) words.push(tensor?.shape[axis + (batched ? 1 : 0)] ?? 0);
    }
  }

  #cancel(item: QueueItem): void {
    const call = item.acceptedAs as Sent | undefined;
    if (call !== undefined && this.#sent[call.row] === call) this.#push((call.row << 1) | 1);
  }

  #push(handle: number): void {
    // Four entries for each row: never full.
    if (!this.#requests.push(handle)) throw new Error('the ring of requests is full');
    this.#bell.ring();
  }

  /** Settles every call whose answer has come. To be called when the control thread wakes this one. */
  deliver(): void {
    for (;;) {
      const handle = this.#replies.pop();
      if (handle >= 0) {
        if ((handle & 1) === 0) this.#settle(handle >> 1);
        else this.#free(handle >> 1);
      } else if (this.#replies.sleep()) return;
    }
  }

  #settle(row: number): void {
    const sent = this.#sent[row] as Sent;
    const { item } = sent;
    if (sent.layout.spec.decoupled) this.#responses.end(row);
    const outcome = this.#outcome(row, sent);
    const held = this.#table.held(row);
    // The transport takes its memory back when the item is settled; a run that nobody waits for any more may read on.
    if (held) item.member.lease?.retain();
    item.acceptedAs = undefined;
    this.#inFlight--;
    item.settle(outcome);
    if (!held) this.#free(row);
    else sent.borrowed = item.member.lease;
  }

  #free(row: number): void {
    const sent = this.#sent[row] as Sent;
    sent.slot.lease?.release();
    sent.borrowed?.release();
    this.#sent[row] = undefined;
    this.#freeRows.push(row);
  }

  #outcome(row: number, sent: Sent): MemberOutcome {
    const kind = this.#table.replyKind(row);
    if (kind === 'failed') return this.#table.readFailed(row);
    if (kind === 'beside') {
      const reply = receiveMessageOnPort(this.#beside)?.message as BesideReply;
      if (reply.kind === 'failed') return { ...reply, error: errorOfWire(reply.error) };
      return { ...reply.figures, outputs: reply.outputs };
    }
    return { ...this.#table.readDone(row), outputs: outputsOf(sent) };
  }
}

/** What of its origin there is to tell, as plain data; undefined: nothing. */
function originOf({ origin }: QueueItem): RequestOrigin | undefined {
  if (origin === undefined) return undefined;
  const { id, parameters, caller, trace } = origin;
  const context = trace?.sampled === true ? { traceId: trace.traceId, spanId: trace.spanId, sampled: true } : undefined;
  if (id === '' && caller === undefined && context === undefined && Object.keys(parameters).length === 0)
    return undefined;
  return { id, parameters, caller, trace: context };
}

function outputsOf({ item, layout, slot, outputsAt }: Sent): Tensor[] {
  const { rows } = item.member;
  let at = outputsAt;
  return layout.spec.outputs.map(({ name, dataType, dims }, i) => {
    const bytes = (layout.outputRowBytes?.[i] as number) * rows;
    const data = new Uint8Array(slot.memory, at, bytes);
    at += slotBytes(bytes);
    return { name, dataType, shape: fixedShape(layout, dims, rows), data };
  });
}
