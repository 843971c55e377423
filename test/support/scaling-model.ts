/**
 * A script model that multiplies its input x [batch, 4] by `factor`, as an answer of scores y [batch, 4]; `waitMs` for each batch. What
 * tests of releases tell versions apart by.
 */
export function scalingModel(factor: number, waitMs = 0): string {
  return `
export const inputs = [{ name: 'x', dataType: 'FP32', dims: [-1, 4] }];
export const outputs = [{ name: 'y', dataType: 'FP32', dims: [-1, 4] }];
export async function infer({ inputs: { x } }) {
  const scaled = Float32Array.from(x.data, (value) => value * ${factor});
  if (${waitMs} > 0) await new Promise((resolve) => setTimeout(resolve, ${waitMs}));
  return { y: { data: scaled, shape: [...x.shape] } };
}
`;
}
