/** ln of the mean of exp(logs): the e-value of a mixture with equal weights. `logs` holds at least one value. */
export function logMeanExp(logs: Float64Array): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logs.length; i++) most = Math.max(most, logs[i] as number);
  if (most === Number.NEGATIVE_INFINITY) return most;
  let sum = 0;
  for (let i = 0; i < logs.length; i++) sum += Math.exp((logs[i] as number) - most);
  return most + Math.log(sum / logs.length);
}
