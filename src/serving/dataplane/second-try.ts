import {
  type Clock,
  type ClockTimer,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  isServersFault,
  NO_DEADLINE,
  type RouteMark,
  type ServingError,
} from '../../core/index.js';

/** Sends the request to one of its two versions. */
export type Send = (reply: InferenceReply) => InferenceHandle;

export interface SecondTryParts {
  readonly clock: Clock;
  readonly request: InferenceRequest;
  readonly first: Send;
  readonly second: Send;
  /** Begin the second where the first fails by the server's fault. */
  readonly onError: boolean;
  /** Begin it so long after the request came, beside the first; undefined: never. */
  readonly afterNs: number | undefined;
  /** The second one answered while the first still ran, which is cancelled therefore. */
  readonly gaveUp: () => void;
}

/** What became of one of the two. */
type Run = 'waits' | 'runs' | 'failed';

/**
 * A request that may go to a second version. The first answer counts and the other run is cancelled before it is given, so
 * that nothing reads the request any more when its caller hears; where both fail, the error of the first one counts. Settles once.
 */
export class SecondTry implements InferenceHandle {
  readonly #parts: SecondTryParts;
  #reply: InferenceReply | undefined;
  #first: Run = 'waits';
  #second: Run = 'waits';
  #firstHandle: InferenceHandle | undefined;
  #secondHandle: InferenceHandle | undefined;
  #failure: { readonly error: ServingError; readonly mark: RouteMark | undefined } | undefined;
  #timer: ClockTimer | undefined;
  #cancelled = false;
  /** Whose responses the caller has begun to get. */
  #answering: 'first' | 'second' | undefined;

  constructor(parts: SecondTryParts, reply: InferenceReply) {
    this.#parts = parts;
    this.#reply = reply;
  }

  /** Sends it to the first version. */
  begin(): InferenceHandle {
    const { first, clock, request, afterNs } = this.#parts;
    this.#first = 'runs';
    this.#firstHandle = first({
      ...this.#partOf('first'),
      done: (response) => this.#answer(response, this.#second === 'runs' ? this.#secondHandle : undefined),
      failed: (error, mark) => this.#firstFailed(error, mark),
    });
    if (afterNs !== undefined && this.#first === 'runs' && this.#reply !== undefined)
      this.#timer = clock.setTimer(request.receivedNs + afterNs, () => this.#late());
    return this;
  }

  /** The first response of a decoupled model settles whose answer it is: the other run is cancelled, its outcome unheard. */
  #partOf(which: 'first' | 'second'): Pick<InferenceReply, 'part'> {
    if (this.#reply?.part === undefined) return {};
    return {
      part: (response, taken) => {
        if (this.#answering === undefined) this.#commit(which);
        if (this.#answering === which) this.#reply?.part?.(response, taken);
      },
    };
  }

  #commit(which: 'first' | 'second'): void {
    this.#answering = which;
    this.#timer?.clear();
    const late = which === 'second' && this.#first === 'runs';
    if (late) this.#parts.gaveUp();
    if (which === 'first' && this.#second === 'runs') this.#secondHandle?.cancel();
    else if (late) this.#firstHandle?.cancel();
  }

  cancel(): void {
    if (this.#reply === undefined) return;
    this.#cancelled = true;
    this.#timer?.clear();
    if (this.#first === 'runs') this.#firstHandle?.cancel();
    if (this.#second === 'runs') this.#secondHandle?.cancel();
  }

  #late(): void {
    if (this.#reply !== undefined && this.#second === 'waits') this.#beginSecond();
  }

  #beginSecond(): void {
    this.#second = 'runs';
    this.#secondHandle = this.#parts.second({
      ...this.#partOf('second'),
      done: (response) => {
        const late = this.#answering === undefined && this.#first === 'runs' && this.#reply !== undefined;
        if (late) this.#parts.gaveUp();
        this.#answer(response, late ? this.#firstHandle : undefined);
      },
      failed: (error, mark) => this.#secondFailed(error, mark),
    });
  }

  #firstFailed(error: ServingError, mark: RouteMark | undefined): void {
    this.#first = 'failed';
    if (this.#reply === undefined || this.#answering === 'second') return;
    this.#timer?.clear();
    this.#failure = { error, mark };
    if (this.#second === 'runs' && this.#answering === undefined) return;
    const { clock, request, onError } = this.#parts;
    const inTime = request.deadlineNs === NO_DEADLINE || request.deadlineNs > clock.nowNs();
    const untold = this.#second === 'waits' && this.#answering === undefined;
    const again = untold && onError && isServersFault(error.reason) && inTime && !this.#cancelled;
    if (again) this.#beginSecond();
    else this.#fail(error, mark);
  }

  #secondFailed(error: ServingError, mark: RouteMark | undefined): void {
    this.#second = 'failed';
    if (this.#reply === undefined || this.#answering === 'first') return;
    const own = this.#answering === 'second';
    if (!own && this.#first === 'runs') return;
    const failure = own ? undefined : this.#failure;
    this.#fail(failure?.error ?? error, failure?.mark ?? mark);
  }

  #answer(response: InferenceResponse, other: InferenceHandle | undefined): void {
    const reply = this.#reply;
    if (reply === undefined) return;
    this.#reply = undefined;
    this.#timer?.clear();
    other?.cancel();
    reply.done(response);
  }

  #fail(error: ServingError, mark: RouteMark | undefined): void {
    const reply = this.#reply;
    this.#reply = undefined;
    reply?.failed(error, mark);
  }
}
