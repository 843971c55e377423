/**
 * The runs whose native call has not returned. koffi does not keep alive what an address points to, and V8 does not know
 * that native code reads it: memory that JavaScript drops during a run is collected and reused, and the run answers with
 * other requests' bytes instead of crashing. So a record here owns everything a run touches (its lane's buffers, values,
 * names and run options, and its session) until koffi's callback has come, whatever became of the client, the lane or
 * the version.
 */
const runs: object[] = [];

/** Keeps everything reachable from `record` alive until `runReturned(record)`. */
export function runStarted(record: object): void {
  runs.push(record);
}

/** The native call of `record` has returned. */
export function runReturned(record: object): void {
  const at = runs.indexOf(record);
  if (at < 0) return;
  const last = runs.pop() as object;
  if (last !== record) runs[at] = last;
}

/** Native runs in flight of this thread. */
export function runsInFlight(): number {
  return runs.length;
}
