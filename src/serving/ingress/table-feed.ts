import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { PublishedTable, TablesReader } from './thread-messages.js';

/**
 * Routing tables on their way to a thread. A count in shared memory says how many were sent, so that the thread can look
 * before each request: from the turn on in which the control thread publishes, no request begins by an older table.
 */
export class TableFeed {
  /** For the thread: to be sent with `port` transferred. */
  readonly reader: TablesReader;
  readonly #port: MessagePort;
  readonly #sent: Int32Array;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const sent = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    this.#sent = new Int32Array(sent);
    this.reader = { port: port2, sent };
  }

  /** The message first: who sees the count finds it. */
  send(table: PublishedTable): void {
    this.#port.postMessage(table);
    Atomics.add(this.#sent, 0, 1);
  }

  close(): void {
    this.#port.close();
  }
}

/** The thread's end of a `TableFeed`: hands every table to `take` once, in order. */
export class TableIntake {
  readonly #port: MessagePort;
  readonly #sent: Int32Array;
  readonly #take: (table: PublishedTable) => void;
  #taken = 0;

  constructor({ port, sent }: TablesReader, take: (table: PublishedTable) => void) {
    this.#port = port;
    this.#sent = new Int32Array(sent);
    this.#take = take;
    port.on('message', (table: PublishedTable) => this.#one(table));
  }

  /** Takes what was sent until now, before it returns. */
  catchUp(): void {
    while (this.#taken !== Atomics.load(this.#sent, 0)) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#one(received.message as PublishedTable);
    }
  }

  close(): void {
    this.#port.close();
  }

  #one(table: PublishedTable): void {
    this.#taken = (this.#taken + 1) | 0;
    this.#take(table);
  }
}
