import { deviceNamed, NO_DEADLINE, type WatchedCopy, type WatchedRun } from '../../core/index.js';
import type { CopyRecord, RequestRecord, RunRecord } from './trace-record.js';
import type { WatchedRequest } from './watched-request.js';

/** Longer texts of callers are cut: they are attributes of spans. */
const MOST_CHARACTERS = 256;

/** What a request that has ended is remembered by. */
export function requestRecord(watched: WatchedRequest, replyBytes: number, endedNs: number): RequestRecord {
  const { traceId, spanId, protocol, userAgent, model, requestBytes, receivedNs, told } = watched;
  const { request, response, error, mark, run } = told;
  const version = mark?.version;
  const scatteredNs =
    run === undefined || response === undefined ? 0 : run.batchFinishedNs + response.latency.scatterNs;
  return {
    kind: 'request',
    traceId,
    spanId,
    parentId: told.parentId,
    traceState: told.traceState,
    keptFor: told.keptFor,
    protocol,
    userAgent: cut(userAgent),
    requestId: cut(request?.id ?? ''),
    model: cut(model),
    requestedVersion: request?.version,
    version,
    route: mark?.route ?? '',
    tenant: told.tenant,
    criticality: told.criticality,
    priority: request?.priority ?? 0,
    deadlineMs:
      request === undefined || request.deadlineNs === NO_DEADLINE
        ? NO_DEADLINE
        : (request.deadlineNs - receivedNs) / 1e6,
    requestBytes,
    replyBytes,
    reason: error?.reason,
    message: cut(error?.message ?? ''),
    receivedNs,
    decodedNs: request?.decodedNs ?? 0,
    enqueuedNs: told.enqueuedNs,
    answeredNs: scatteredNs > 0 ? Math.min(scatteredNs, endedNs) : Math.min(told.answeredNs, endedNs),
    endedNs,
    run: version === undefined ? undefined : runOf(model, version, told),
    ...(request?.texts === undefined ? {} : { texts: request.texts }),
  };
}

/** What a copy of a request is remembered by. */
export function copyRecord(watched: WatchedRequest, copy: WatchedCopy, traceId: string, endedNs: number): CopyRecord {
  const { model, version } = copy.version;
  return {
    kind: 'copy',
    traceId,
    originTraceId: watched.traceId,
    originSpanId: watched.spanId,
    model,
    version,
    reason: copy.reason,
    enqueuedNs: copy.enqueuedNs,
    endedNs,
    run: copy.run && runRecord(model, version, copy.run),
  };
}

function runOf(model: string, version: number, told: WatchedRequest['told']): RunRecord | undefined {
  const { run, execution, begunNs: takenNs, answeredNs: finishedNs } = told;
  if (run !== undefined) return runRecord(model, version, run);
  if (execution === 0) return undefined;
  const stages = { takenNs, gatheredNs: takenNs, startedNs: takenNs, finishedNs };
  return { model, version, execution, ...stages, rows: 0, paddingShare: 0, requests: 0, device: '', whole: false };
}

function runRecord(model: string, version: number, run: WatchedRun): RunRecord {
  const finishedNs = run.batchFinishedNs;
  const startedNs = finishedNs - run.computeNs;
  const gatheredNs = startedNs - run.dispatchNs;
  return {
    model,
    version,
    execution: run.execution,
    takenNs: gatheredNs - run.gatherNs,
    gatheredNs,
    startedNs,
    finishedNs,
    rows: run.batchRows,
    paddingShare: run.paddingShare,
    requests: run.batchRequests,
    device: deviceNamed(run.device),
    whole: true,
    ...(run.steps === undefined
      ? {}
      : {
          steps: run.steps.map((step) => ({
            step: step.step,
            enqueuedNs: step.enqueuedNs,
            run: runRecord(step.version.model, step.version.version, step.run),
          })),
        }),
  };
}

function cut(text: string): string {
  return text.length > MOST_CHARACTERS ? text.slice(0, MOST_CHARACTERS) : text;
}
