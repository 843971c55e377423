import fc from 'fast-check';
import type { EnsembleStep, InferenceRequest, ModelSpec, Tensor } from '../../src/core/index.js';
import { type EnsemblePlan, planEnsemble } from '../../src/serving/ensembles/index.js';
import { modelSpec, policy, tensorSpec } from './specs.js';

/** An ensemble as a test draws it: inputs `in0`..., and which tensors are its outputs. */
export interface DrawnEnsemble {
  readonly inputs: number;
  readonly steps: EnsembleStep[];
  readonly outputs: string[];
}

/** A tensor of one row of bytes. */
export const bytes = (name: string, values: readonly number[]): Tensor => ({
  name,
  dataType: 'UINT8',
  shape: [1, values.length],
  data: Uint8Array.from(values),
});

/** What a step computes: a number that depends on the step and on all bytes it reads. */
export function computed({ model, inputs }: Pick<InferenceRequest, 'model' | 'inputs'>, output: string): number[] {
  let value = model.length * 7 + Number(output.slice(1)) + 1;
  for (const { name, data } of inputs) for (const byte of data) value = (value * 31 + byte + name.length) % 200;
  return [value, (value * 3) % 200];
}

const UINT8 = (name: string) => tensorSpec(name, 'UINT8', [-1]);

/** A graph of steps that each take some of what is there before them, all as models of their own. */
export const randomEnsemble = fc
  .record({
    inputs: fc.integer({ min: 1, max: 3 }),
    steps: fc.array(
      fc.record({ takes: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), gives: fc.integer({ min: 1, max: 2 }) }),
      { minLength: 1, maxLength: 7 },
    ),
    asked: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
    order: fc.nat(),
  })
  .map(({ inputs, steps, asked, order }) => {
    const names = Array.from({ length: inputs }, (_, i) => `in${i}`);
    const given: string[] = [];
    const built: EnsembleStep[] = steps.map(({ takes, gives }, s) => {
      // The first steps use the inputs that nobody else may.
      const taken = [...new Set([...takes.map((t) => names[t % names.length] as string), ...(s === 0 ? names : [])])];
      const outputs = Array.from({ length: gives }, (_, g) => [`y${g}`, `t${s}_${g}`] as const);
      for (const [, name] of outputs) {
        names.push(name);
        given.push(name);
      }
      return {
        model: `m${s}`,
        version: undefined,
        inputs: new Map(taken.map((name, i) => [`x${i}`, name])),
        outputs: new Map(outputs),
      };
    });
    const outputs = [...new Set(asked.map((a) => given[a % given.length] as string))];
    // Where a step stands says nothing of when it runs.
    const turned = order % built.length;
    return { inputs, steps: [...built.slice(turned), ...built.slice(0, turned)], outputs };
  });

export function planOf({ inputs, steps, outputs }: DrawnEnsemble): EnsemblePlan {
  const spec = modelSpec({
    id: { model: 'e', version: 1 },
    inputs: Array.from({ length: inputs }, (_, i) => UINT8(`in${i}`)),
    outputs: outputs.map(UINT8),
  });
  const members = new Map<string, ModelSpec>(
    steps.map((step) => [
      step.model,
      modelSpec({
        id: { model: step.model, version: 1 },
        inputs: [...step.inputs.keys()].map(UINT8),
        outputs: [...step.outputs.keys()].map(UINT8),
        batching: policy(),
      }),
    ]),
  );
  return planEnsemble(spec, steps, (model) => members.get(model));
}

/** The outputs, computed one step after the other. */
export function expected({ inputs, steps, outputs }: DrawnEnsemble): number[][] {
  const values = new Map(Array.from({ length: inputs }, (_, i) => [`in${i}`, [i, 9]]));
  let left = steps;
  while (left.length > 0) {
    const ready = left.filter((step) => [...step.inputs.values()].every((name) => values.has(name)));
    for (const step of ready) {
      const given = [...step.inputs].map(([name, tensor]) => bytes(name, values.get(tensor) as number[]));
      for (const [output, tensor] of step.outputs)
        values.set(tensor, computed({ model: step.model, inputs: given }, output));
    }
    left = left.filter((step) => !ready.includes(step));
  }
  return outputs.map((name) => values.get(name) as number[]);
}

export const inputsOf = (count: number) => Array.from({ length: count }, (_, i) => bytes(`in${i}`, [i, 9]));
