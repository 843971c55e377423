import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import {
  type BatchMember,
  type Charge,
  type ChargeSource,
  type Criticality,
  FIXED_CHARGES,
  FIXED_TENANTS,
  type Lease,
  type ModelSpec,
  type RequestOrigin,
  type SequencePart,
  type Tenant,
  type Tensor,
  toServingError,
} from '../../core/index.js';
import type { MemberDone, MemberFailed, MemberOutcome, QueueItem, RequestQueue } from '../batcher/index.js';
import { BatchKeys } from '../dataplane/index.js';
import { Bell } from './bell.js';
import type {
  BesideCharge,
  BesideOrigin,
  BesideParameters,
  BesideReply,
  BesideRequest,
  BesideSequence,
  BesideTenant,
} from './call-sender.js';
import { type CallMemory, CallTable } from './call-table.js';
import { HandleRing } from './handle-ring.js';
import { ResponseSender } from './response-lines.js';
import { fixedShape, isAsDeclared, slotBytes, type VersionLayout, versionLayout } from './version-layout.js';
import { wireError } from './wire-error.js';

/** Calls taken in one turn of the event loop at most, so that lanes and other threads have theirs. */
const CALLS_A_TURN = 256;

/** A version that calls may name, on the control thread. */
interface Target {
  readonly layout: VersionLayout;
  readonly keys: BatchKeys;
  readonly queue: RequestQueue;
  /** Of copies; undefined: none come. */
  readonly shadowQueue: RequestQueue | undefined;
}

export interface ReceiverParts {
  readonly memory: CallMemory;
  /** The memory of the ingress thread's arena. */
  readonly slots: SharedArrayBuffer;
  readonly beside: MessagePort;
  /** Where responses of decoupled models go that are not the last of their request. */
  readonly responses: MessagePort;
  /** Wakes the ingress thread. */
  readonly wake: () => void;
  /** The tenant of a name, as this thread knows it. */
  readonly tenantNamed: TenantNamed;
  /** Of this thread. */
  readonly charges: ChargeSource;
}

export type TenantNamed = (name: string, nowNs: number) => Tenant;

/** Takes the calls of one ingress thread into the queues of the control thread, and hands their answers back. */
export class CallReceiver {
  readonly #table: CallTable;
  readonly #requests: HandleRing;
  readonly #replies: HandleRing;
  readonly #bell: Bell;
  readonly #slots: Uint8Array;
  readonly #beside: MessagePort;
  readonly #responses: ResponseSender;
  readonly #targets = new Map<number, Target>();
  readonly #calls: (RemoteCall | undefined)[];
  readonly #tenantNamed: TenantNamed;
  /** By the places that the ingress thread has given them. */
  readonly #tenantNames: string[] = [];
  readonly #charges: ChargeSource;
  /** By the index that the ingress thread has given them. */
  readonly #chargesThere: Charge[] = [...FIXED_CHARGES];
  readonly #again = () => this.take();
  #abandoned = false;

  constructor({ memory, slots, beside, responses, wake, tenantNamed, charges }: ReceiverParts) {
    this.#table = new CallTable(memory.rows);
    this.#requests = new HandleRing(memory.requests);
    this.#replies = new HandleRing(memory.replies);
    this.#bell = new Bell(this.#replies, wake);
    this.#slots = new Uint8Array(slots);
    this.#beside = beside;
    this.#responses = new ResponseSender(responses);
    this.#tenantNamed = tenantNamed;
    this.#charges = charges;
    this.#calls = new Array(this.#table.size).fill(undefined);
  }

  /** Lets calls name a version by this number; before the ingress thread hears of it. */
  add(version: number, spec: ModelSpec, queue: RequestQueue, shadowQueue?: RequestQueue): void {
    this.#targets.set(version, { layout: versionLayout(spec), keys: new BatchKeys(spec), queue, shadowQueue });
  }

  /** After the ingress thread said that it does not use the number any more. */
  remove(version: number): void {
    this.#targets.delete(version);
  }

  /** Takes what has come, a bounded part a turn. To be called when the ingress thread wakes this one. */
  take(): void {
    for (let taken = 0; taken < CALLS_A_TURN; taken++) {
      const handle = this.#abandoned ? -1 : this.#requests.pop();
      if (handle >= 0) this.#take(handle >> 1, (handle & 1) === 1);
      else if (this.#abandoned || this.#requests.sleep()) return;
    }
    setImmediate(this.#again);
  }

  /** Takes all that has come, however much: what was sent before a message is in the queues when the message is acted on. */
  takeAll(): void {
    for (;;) {
      const handle = this.#abandoned ? -1 : this.#requests.pop();
      if (handle < 0) return;
      this.#take(handle >> 1, (handle & 1) === 1);
    }
  }

  /** The ingress thread is gone: what it asked for is cancelled, nobody is answered. */
  abandon(): void {
    this.#abandoned = true;
    for (const call of this.#calls) call?.cancel();
  }

  #take(row: number, cancelled: boolean): void {
    if (cancelled) {
      // Settled before: then its answer is under way, and no other call has the row yet.
      this.#calls[row]?.cancel();
      return;
    }
    const version = this.#table.version(row);
    const target = this.#targets.get(version);
    if (target === undefined) throw new Error(`a call of version number ${version}, which is not published`);
    const call = this.#read(row, target);
    this.#calls[row] = call;
    try {
      call.queue.enqueue(call);
    } catch (thrown) {
      call.settle({ kind: 'failed', error: toServingError(thrown), execution: 0 });
    }
  }

  #read(row: number, target: Target): RemoteCall {
    const { layout } = target;
    const request = this.#table.request(row);
    if (request.named) {
      const told = receiveMessageOnPort(this.#beside)?.message as BesideTenant;
      this.#tenantNames[request.tenantIndex] = told.tenant;
    }
    if (request.chargeNamed) {
      const told = receiveMessageOnPort(this.#beside)?.message as BesideCharge;
      this.#chargesThere[request.chargeIndex] = this.#charges.of(told.route, told.kind);
    }
    const told = request.inSequence ? (receiveMessageOnPort(this.#beside)?.message as BesideSequence) : undefined;
    const from = request.originTold ? (receiveMessageOnPort(this.#beside)?.message as BesideOrigin) : undefined;
    const given = request.withParameters
      ? (receiveMessageOnPort(this.#beside)?.message as BesideParameters)
      : undefined;
    let words: ArrayLike<number> = this.#table.words;
    let at = this.#table.inputsAt(row);
    let slots = this.#slots;
    if (at < 0) {
      const beside = receiveMessageOnPort(this.#beside)?.message as BesideRequest;
      words = beside.inputs;
      at = 0;
      if (beside.memory !== undefined) slots = new Uint8Array(beside.memory);
    }
    const inputs: (Tensor | undefined)[] = new Array(layout.inputs.length);
    for (let i = 0; i < layout.inputs.length; i++) {
      const { spec, dimensions } = layout.inputs[i] as VersionLayout['inputs'][number];
      const offset = words[at] as number;
      const bytes = words[at + 1] as number;
      at += 2;
      let dims = spec.dims;
      if (dimensions !== undefined) {
        dims = Array.from({ length: dimensions }, (_, axis) => words[at + axis] as number);
        at += dimensions;
      }
      inputs[i] =
        offset < 0
          ? undefined
          : {
              name: spec.name,
              dataType: spec.dataType,
              shape: fixedShape(layout, dims, request.rows),
              data: slots.subarray(offset, offset + bytes),
            };
    }
    const tenant = this.#tenant(request.tenantIndex, request.enqueuedNs);
    const charge = this.#chargesThere[request.chargeIndex] as Charge;
    const parts = layout.spec.decoupled ? this.#responses.begin(row) : undefined;
    const more =
      parts === undefined && given === undefined
        ? undefined
        : { ...(parts && { parts }), ...(given && { parameters: given.parameters }) };
    const call = new RemoteCall(this.#answering, row, target, slots, request, tenant, charge, inputs, more);
    if (told !== undefined) call.sequence = told.sequence;
    if (from !== undefined) call.origin = from.origin;
    return call;
  }

  /** Asked for each time, so that one that is used is not forgotten. */
  #tenant(index: number, nowNs: number): Tenant {
    return FIXED_TENANTS[index] ?? this.#tenantNamed(this.#tenantNames[index] as string, nowNs);
  }

  readonly #answering: Answering = {
    reply: (call, outcome) => {
      this.#calls[call.row] = undefined;
      if (call.member.parts !== undefined) this.#responses.end(call.row);
      if (this.#abandoned) return;
      if (outcome.kind === 'failed') this.#fail(call, outcome);
      else this.#answer(call, outcome);
      this.#table.writeHeld(call.row, call.held);
      this.#push(call.row << 1);
    },
    released: (call) => {
      if (!this.#abandoned) this.#push((call.row << 1) | 1);
    },
  };

  #push(handle: number): void {
    // Two entries for each row: never full.
    if (!this.#replies.push(handle)) throw new Error('the ring of replies is full');
    this.#bell.ring();
  }

  #fail({ row }: RemoteCall, failed: MemberFailed): void {
    if (!this.#table.writeFailed(row, failed))
      this.#answerBeside(row, { ...failed, error: wireError(failed.error) }, []);
  }

  #answer(call: RemoteCall, done: MemberDone): void {
    const { outputs, ...figures } = done;
    const { layout } = call.target;
    // What is told of steps has no place in a row.
    if (!call.watched && fits(layout, outputs, call.member.rows)) {
      let at = call.outputsAt;
      for (const { data } of outputs) {
        call.slots.set(data, at);
        at += slotBytes(data.byteLength);
      }
      this.#table.writeDone(call.row, done);
      return;
    }
    const own = outputs.map((output) => ({ ...output, shape: [...output.shape], data: new Uint8Array(output.data) }));
    this.#answerBeside(
      call.row,
      { kind: 'done', outputs: own, figures },
      own.map((output) => output.data.buffer),
    );
  }

  #answerBeside(row: number, reply: BesideReply, transfer: readonly ArrayBuffer[]): void {
    this.#beside.postMessage(reply, transfer);
    this.#table.writeBeside(row);
  }
}

/** Whether the outputs are what a slot was made for. */
function fits(layout: VersionLayout, outputs: readonly Tensor[], rows: number): boolean {
  const { outputRowBytes, spec } = layout;
  if (outputRowBytes === undefined || outputs.length !== spec.outputs.length) return false;
  for (let i = 0; i < outputs.length; i++) {
    const { shape, data } = outputs[i] as Tensor;
    const declared = spec.outputs[i] as ModelSpec['outputs'][number];
    if (!isAsDeclared(layout, declared, shape, rows)) return false;
    if (data.byteLength !== (outputRowBytes[i] as number) * rows) return false;
  }
  return true;
}

/** What a call tells its receiver. */
interface Answering {
  readonly reply: (call: RemoteCall, outcome: MemberOutcome) => void;
  /** Its memory is not read any more, some time after its outcome. */
  readonly released: (call: RemoteCall) => void;
}

/** A request of another thread, in a queue of this one; and the lease of the memory it lies in, as far as this thread has one. */
class RemoteCall implements QueueItem, Lease {
  readonly row: number;
  readonly target: Target;
  readonly queue: RequestQueue;
  readonly slots: Uint8Array;
  readonly member: BatchMember;
  readonly key: string;
  readonly length: number;
  readonly priority: number;
  readonly timeoutUs: number;
  readonly deadlineNs: number;
  readonly enqueuedNs: number;
  readonly tenant: Tenant;
  readonly criticality: Criticality;
  readonly charge: Charge;
  readonly watched: boolean;
  readonly outputsAt: number;
  acceptedAs: unknown = undefined;
  /** Only where it is in one. */
  declare sequence?: SequencePart;
  /** Only where it is for an ensemble. */
  declare origin?: RequestOrigin;
  readonly #answering: Answering;
  /** The sender's own until the outcome, and those of lanes. */
  #references = 1;

  constructor(
    answering: Answering,
    row: number,
    target: Target,
    slots: Uint8Array,
    request: ReturnType<CallTable['request']>,
    tenant: Tenant,
    charge: Charge,
    inputs: BatchMember['inputs'],
    more: Pick<BatchMember, 'parts' | 'parameters'> | undefined,
  ) {
    this.#answering = answering;
    this.row = row;
    this.target = target;
    this.queue = request.shadow ? (target.shadowQueue as RequestQueue) : target.queue;
    this.slots = slots;
    const { rows } = request;
    this.member = more === undefined ? { inputs, rows, lease: this } : { inputs, rows, lease: this, ...more };
    const { key, length } = target.keys.of(inputs);
    this.key = key;
    this.length = length;
    this.priority = request.priority;
    this.timeoutUs = request.timeoutUs;
    this.deadlineNs = request.deadlineNs;
    this.enqueuedNs = request.enqueuedNs;
    this.tenant = tenant;
    this.criticality = request.criticality;
    this.charge = charge;
    this.watched = request.watched;
    this.outputsAt = request.outputsAt;
  }

  settle(outcome: MemberOutcome): void {
    this.#references--;
    this.#answering.reply(this, outcome);
  }

  cancel(): void {
    this.queue.cancel(this);
  }

  /** Whether a lane reads its memory although it has its outcome. */
  get held(): boolean {
    return this.#references > 0;
  }

  /** All the memory that its inputs are parts of. */
  get bytes(): Uint8Array {
    return this.slots;
  }

  retain(): void {
    if (this.#references === 0) throw new Error('the lease has ended: it cannot be retained');
    this.#references++;
  }

  release(): void {
    if (this.#references === 0) throw new Error('the lease was released more often than retained');
    this.#references--;
    if (this.#references === 0) this.#answering.released(this);
  }
}
