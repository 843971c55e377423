import type { ModelRoutes } from './routes.js';

/** What an operator has set over the routes file of a model. Plain data, to be kept as it is. */
export interface OperatorRoutes {
  /** Text of the document that stands for the file (YAML or JSON); undefined: the file's own counts. */
  readonly document: string | undefined;
  /** Flags that differ from what the document says, by name. */
  readonly flags: Readonly<Record<string, boolean>>;
  /** Filters that are switched otherwise than it says, by name. */
  readonly filters: Readonly<Record<string, boolean>>;
  /** Versions by label, over what it says; absent: none. */
  readonly labels?: Readonly<Record<string, number>> | undefined;
}

/** The routes of one model as they stand. */
export interface RoutesStatus {
  readonly model: string;
  /** `file`: `routes.yaml` or `routes.json` beside the model; `operator`: a document set by a call. */
  readonly source: 'file' | 'operator';
  /** Text of the operator's, as it came. */
  readonly document?: string;
  /** In force, as far as the versions that serve allow; flags and filters as they are switched. */
  readonly routes: ModelRoutes;
  /** Number of the routing table that they are in; 0: the model does not serve. */
  readonly table: number;
  /** What could not be done with the versions that serve, in words. */
  readonly leftOut: readonly string[];
}

/**
 * Changes routes while the gateway serves. A change that resolves is in force on every thread; one that rejects has changed
 * nothing. `by`: who asked, for the log. Rejects with MODEL_NOT_FOUND where nobody has the model or its routes, and with
 * MALFORMED_REQUEST where what is asked cannot be: for a document with the line at fault.
 */
export interface RouteControl {
  /** Of every model that has routes, by name. */
  list(): readonly RoutesStatus[];
  /** Undefined where a model has none. */
  get(model: string): RoutesStatus | undefined;
  /** A document takes the place of the file's and of one set before; its flags count as it says. */
  set(model: string, document: string, by: string): Promise<void>;
  /** The file's routes count again, or none, with flags as the file says. */
  remove(model: string, by: string): Promise<void>;
  setFlag(model: string, flag: string, on: boolean, by: string): Promise<void>;
  setFilter(model: string, filter: string, enabled: boolean, by: string): Promise<void>;
  /**
   * Labels over those of document or file, in the place of all that were set so before; none: document or file alone count. Rejects
   * with FAILED_PRECONDITION for a version that does not serve (unless the server allows it to a label that is new).
   */
  setLabels(model: string, labels: Readonly<Record<string, number>>, by: string): Promise<void>;
  /** Whether these are the labels that are set so. */
  hasLabels(model: string, labels: Readonly<Record<string, number>>): boolean;
}
