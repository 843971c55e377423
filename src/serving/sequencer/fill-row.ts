import { byteSize, elementCount, type Tensor } from '../../core/index.js';
import type { ControlTensors } from './control-tensors.js';
import type { KeptStates } from './kept-states.js';
import type { FillRow } from './slot-executor.js';

/**
 * Fills rows of nobody: zeros (empty texts) in the shapes of a request beside it, controls that say "not ready", and states of
 * zeros. `own`: inputs that clients send.
 */
export function fillRow(own: number, controls: ControlTensors, states: KeptStates): FillRow {
  const told = controls.notReady();
  return ({ inputs }) => [
    ...inputs.slice(0, own).map((input) => input && zeros(input)),
    ...told,
    ...states.initial.map((initial, i) => {
      const beside = inputs[own + told.length + i] as Tensor;
      return zeros({ ...initial, shape: beside.shape });
    }),
  ];
}

function zeros({ name, dataType, shape }: Tensor): Tensor {
  // An empty element of BYTES is its length alone.
  const bytes = dataType === 'BYTES' ? 4 * elementCount(shape) : byteSize(dataType, shape);
  return { name, dataType, shape, data: new Uint8Array(bytes) };
}
