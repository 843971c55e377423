import type { MessagePort } from 'node:worker_threads';
import {
  type Clock,
  type Log,
  type LogFields,
  type ReleaseFacts,
  type RequestMetrics,
  toServingError,
} from '../../core/index.js';
import type { Arena } from '../arena/index.js';
import { type Dataplane, ServedVersion } from '../dataplane/index.js';
import { CallSender } from './call-sender.js';
import { FactBunches } from './fact-bunches.js';
import { ControlQuestions, type RemoteControl } from './remote-control.js';
import { TableIntake } from './table-feed.js';
import {
  BELL,
  type FromThread,
  type LogLevel,
  type PublishedTable,
  type TablesReader,
  type ThreadStart,
  type ToThread,
} from './thread-messages.js';
import { causeText, wireError } from './wire-error.js';

/** What a thread's servers are to it. */
export interface ThreadServers {
  refreshHealth(): void;
  closeIntake(): void;
  /** Resolves when every accepted request is answered and nothing of the servers is left. */
  close(): Promise<void>;
}

/** An ingress thread's end of what binds it to the control thread. */
export class ThreadSide {
  readonly control: RemoteControl;
  readonly log: Log;
  readonly whyAbsent: ControlQuestions['whyAbsent'];
  /** Where this thread's facts go: to the control thread, in bunches. */
  readonly facts: ReleaseFacts;
  readonly #bunches: FactBunches;
  readonly #port: MessagePort;
  readonly #beside: MessagePort;
  readonly #reader: TablesReader;
  readonly #responses: MessagePort;
  readonly #arena: Arena;
  readonly #sender: CallSender;
  readonly #questions: ControlQuestions;
  readonly #versions = new Map<number, ServedVersion>();
  #tables: TableIntake | undefined;

  constructor(start: ThreadStart<unknown>, arena: Arena, clock: Clock) {
    const { port, beside, tables, responses, memory } = start;
    this.#port = port;
    this.#beside = beside;
    this.#reader = tables;
    this.#responses = responses;
    this.#arena = arena;
    this.#sender = new CallSender({ memory, arena, beside, responses, wake: () => port.postMessage(BELL) });
    this.#questions = new ControlQuestions((call, method, args) => this.#tell({ kind: 'ask', call, method, args }));
    this.control = this.#questions.control;
    this.whyAbsent = (model, version) => this.#questions.whyAbsent(model, version);
    this.#bunches = new FactBunches(clock, (facts, lost) => this.#tell({ kind: 'facts', facts, lost }));
    this.facts = this.#bunches;
    this.log = portLog((message) => this.#tell(message));
  }

  /** Serves: routes by what is published, hands answers to their calls, until it is told to close or crashes. */
  run(dataplane: Dataplane, servers: ThreadServers, figuresIn: (memory: SharedArrayBuffer) => RequestMetrics): void {
    this.#tables = new TableIntake(this.#reader, (table) => this.#publish(table, dataplane, figuresIn));
    this.#port.on('message', (message: ToThread | typeof BELL) => {
      if (message === BELL) this.#sender.deliver();
      else this.#act(message, servers);
    });
    // Asks to be woken from the first answer on.
    this.#sender.deliver();
    this.#tell({ kind: 'started', slots: this.#arena.buffer });
  }

  /** The data path with nothing routed by a table older than the newest that the control thread has published. */
  upToDate(dataplane: Dataplane): Pick<Dataplane, 'wanted' | 'infer' | 'specOf' | 'versionOf' | 'textModels'> {
    const catchUp = () => this.#tables?.catchUp();
    return {
      get wanted() {
        catchUp();
        return dataplane.wanted;
      },
      infer: (request, reply) => {
        catchUp();
        return dataplane.infer(request, reply);
      },
      specOf: (model, version) => {
        catchUp();
        return dataplane.specOf(model, version);
      },
      versionOf: (model, label) => {
        catchUp();
        return dataplane.versionOf(model, label);
      },
      textModels: () => {
        catchUp();
        return dataplane.textModels();
      },
    };
  }

  cannotStart(thrown: unknown): void {
    this.#tell({ kind: 'cannot-start', error: wireError(toServingError(thrown)) });
    this.#closePorts();
  }

  crashed(thrown: unknown): void {
    this.#bunches.flush();
    this.#tell({ kind: 'crashed', cause: causeText(thrown) });
  }

  #act(message: ToThread, servers: ThreadServers): void {
    // Whatever it says was said after them.
    this.#tables?.catchUp();
    switch (message.kind) {
      case 'answer':
        this.#questions.answered(message.call, message.value);
        return;
      case 'refusal':
        this.#questions.refused(message.call, message.error);
        return;
      case 'facts-taken':
        this.#bunches.taken();
        return;
      case 'send-facts':
        this.#bunches.flush();
        this.#tell({ kind: 'facts-sent', call: message.call });
        return;
      case 'refresh-health':
        servers.refreshHealth();
        return;
      case 'close-intake':
        servers.closeIntake();
        return;
      case 'close':
        // Ends with the thread; a failure is a crash of it.
        void servers.close().then(() => {
          this.#bunches.flush();
          this.#tell({ kind: 'closed' });
          this.#closePorts();
        });
    }
  }

  #publish(
    { model, versions, traffic, table, publication }: PublishedTable,
    dataplane: Dataplane,
    figuresIn: (memory: SharedArrayBuffer) => RequestMetrics,
  ): void {
    const served = versions.map(({ number, spec, figures }) => {
      const known = this.#versions.get(number);
      if (known !== undefined) return known;
      const shadowQueue = this.#sender.queueOf(number, spec, true);
      return new ServedVersion(spec, this.#sender.queueOf(number, spec), figuresIn(figures), shadowQueue);
    });
    for (const { target } of dataplane.table.versions(model)) this.#forget(target);
    for (const [i, { number }] of versions.entries()) this.#versions.set(number, served[i] as ServedVersion);
    dataplane.publish(model, served, traffic, table);
    this.#tell({ kind: 'routed', publication });
  }

  #forget(served: ServedVersion): void {
    for (const [number, known] of this.#versions) if (known === served) this.#versions.delete(number);
  }

  #tell(message: FromThread): void {
    this.#port.postMessage(message);
  }

  /** Nothing else keeps the thread. */
  #closePorts(): void {
    this.#port.close();
    this.#beside.close();
    this.#tables?.close();
    this.#reader.port.close();
    this.#responses.close();
  }
}

/** A log whose lines the control thread writes. */
function portLog(tell: (message: FromThread) => void): Log {
  const write = (level: LogLevel) => (message: string, fields?: LogFields) =>
    tell({ kind: 'log', level, message, ...(fields === undefined ? {} : { fields: cloneable(fields) }) });
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** Errors as text: what hangs on them may not be cloneable. */
function cloneable(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? causeText(value) : value]),
  );
}
