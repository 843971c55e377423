import {
  DATA_TYPES,
  type SequenceControl,
  type SequenceId,
  type SequencePart,
  ServingError,
  serialiseBytes,
  type Tensor,
} from '../../core/index.js';

/** The inputs by which a model is told of sequences, made for one row: `[1, 1]` where it batches, else `[1]`. */
export class ControlTensors {
  readonly #controls: readonly SequenceControl[];
  readonly #shape: readonly number[];
  readonly #flags: ReadonlyMap<SequenceControl, { readonly yes: Tensor; readonly no: Tensor }>;
  readonly #corrid: SequenceControl | undefined;

  constructor(controls: readonly SequenceControl[], batched: boolean) {
    this.#controls = controls;
    this.#shape = batched ? [1, 1] : [1];
    this.#corrid = controls.find(({ kind }) => kind === 'corrid');
    this.#flags = new Map(
      controls.map((control) => [
        control,
        { yes: this.#tensor(control, control.trueData), no: this.#tensor(control, control.falseData) },
      ]),
    );
  }

  /**
   * The id as the model takes it, made once for a sequence; undefined where the model is not told. Throws
   * MALFORMED_REQUEST where its data type cannot hold the id.
   */
  idTensor(id: SequenceId): Tensor | undefined {
    const control = this.#corrid;
    if (control === undefined) return undefined;
    const data = control.dataType === 'BYTES' ? textId(control, id) : integerId(control, id);
    return this.#tensor(control, data);
  }

  /** The id of a request that names none, as the model takes it: a number of the server's, round where its data type ends. */
  numbered(number: number): Tensor | undefined {
    const control = this.#corrid;
    if (control === undefined) return undefined;
    if (control.dataType === 'BYTES') return this.idTensor(String(number));
    const { max } = DATA_TYPES[control.dataType];
    return this.idTensor(((BigInt(number) - 1n) % (max as bigint)) + 1n);
  }

  /** In the order of the plan. */
  of({ start, end }: Omit<SequencePart, 'id'>, id: Tensor | undefined): readonly Tensor[] {
    return this.#controls.map((control) => {
      if (control.kind === 'corrid') return id as Tensor;
      const flags = this.#flags.get(control) as { yes: Tensor; no: Tensor };
      const set = control.kind === 'ready' || (control.kind === 'start' ? start : end);
      return set ? flags.yes : flags.no;
    });
  }

  /** Of a row that no sequence has now: nothing is set. */
  notReady(): readonly Tensor[] {
    return this.#controls.map((control) => {
      if (control.kind === 'corrid') return this.nobody() as Tensor;
      return (this.#flags.get(control) as { no: Tensor }).no;
    });
  }

  /** The id of no sequence: 0, or an empty text. */
  nobody(): Tensor | undefined {
    const control = this.#corrid;
    if (control === undefined) return undefined;
    const bytes = DATA_TYPES[control.dataType].elementBytes;
    // An empty element of BYTES is its length alone.
    return this.#tensor(control, new Uint8Array(bytes === 0 ? 4 : bytes));
  }

  #tensor({ name, dataType }: SequenceControl, data: Uint8Array): Tensor {
    return { name, dataType, shape: this.#shape, data };
  }
}

function textId({ name }: SequenceControl, id: SequenceId): Uint8Array {
  if (typeof id === 'string') return serialiseBytes([new TextEncoder().encode(id)]);
  throw new ServingError(
    'MALFORMED_REQUEST',
    `sequence_id: expected a string, which the model's control input '${name}' takes, got the integer ${id}`,
  );
}

function integerId({ name, dataType }: SequenceControl, id: SequenceId): Uint8Array {
  const { elementBytes, max } = DATA_TYPES[dataType];
  if (typeof id === 'string') {
    throw new ServingError(
      'MALFORMED_REQUEST',
      `sequence_id: expected an integer, as the model's control input '${name}' is ${dataType}, got a string`,
    );
  }
  const value = BigInt(id);
  if (value > (max as bigint)) {
    throw new ServingError(
      'MALFORMED_REQUEST',
      `sequence_id: expected at most ${max}, as the model's control input '${name}' is ${dataType}, got ${id}`,
    );
  }
  const data = new Uint8Array(elementBytes);
  for (let at = 0, rest = value; at < elementBytes; at++, rest >>= 8n) data[at] = Number(rest & 0xffn);
  return data;
}
