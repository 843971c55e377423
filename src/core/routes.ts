import type { EjectionSettings } from './ejection.js';
import type { TensorSpec } from './model.js';
import type { ModelRelease } from './release.js';
import type { RequestAttribute } from './request-attribute.js';
import type { PlainTensor } from './tensor-of-values.js';

/** A version by its number, or by a label of the model. */
export type VersionName = number | string;

/** Where requests may be sent: a version by number or label, or a split by name. */
export type RouteGoal = VersionName;

/**
 * How requests for one model find their version, as an operator writes it. Names of labels and splits are different from each
 * other; a split leads to versions only, so that no way leads in a circle. Plain data: threads are sent it.
 */
export interface ModelRoutes {
  readonly labels: Readonly<Record<string, number>>;
  /** Switches by name; what names one of them (`flag`) counts only while that is true. */
  readonly flags: Readonly<Record<string, boolean>>;
  /** Where requests go that no rule takes; undefined: the highest version that serves. */
  readonly default: RouteGoal | undefined;
  readonly splits: Readonly<Record<string, RouteSplit>>;
  /** The first one whose condition holds decides. */
  readonly rules: readonly RouteRule[];
  /** Each one that matches sends a copy to its version, whose answer nobody waits for. */
  readonly shadows: readonly RouteShadow[];
  /** Before all else, and for requests that name a version too: the first one whose condition holds acts. */
  readonly filters: readonly RouteFilter[];
  readonly fallback: RouteFallback | undefined;
  readonly ejection: EjectionSettings | undefined;
}

/** Keeps requests from the version they would go to. */
export interface RouteFilter {
  readonly name: string;
  readonly when: RouteCondition;
  readonly action: FilterAction;
  /** Operators switch it while the gateway serves. */
  readonly enabled: boolean;
  readonly flag: string | undefined;
}

export type FilterAction =
  /** Refused with BLOCKED; the message goes to the caller. */
  | { readonly block: string }
  /** Answered without the model: each output that is asked for and given, its shape that of one row, once for each row of the request. */
  | { readonly answer: readonly PlainTensor[] }
  | { readonly reroute: VersionName };

/** A second try elsewhere, for requests that do not name their version. */
export interface RouteFallback {
  readonly to: VersionName;
  /** Where the first version fails by the server's fault. */
  readonly onError: boolean;
  /** Where it has not answered so long after the request came; it goes on, and the first answer counts. Undefined: never. */
  readonly afterMs: number | undefined;
}

/** Divides requests among versions. */
export interface RouteSplit {
  /** The first one has what the others leave; percentages, in steps of 0.01, sum to 100. */
  readonly arms: readonly { readonly to: VersionName; readonly percent: number }[];
  /** What keeps a caller with its version; undefined, or absent from a request: that is drawn anew. */
  readonly key: RequestAttribute | undefined;
  /** Splits of one salt and key assign alike, those of another independently. */
  readonly salt: string;
  /** While it is false the first version has all. */
  readonly flag: string | undefined;
}

export interface RouteRule {
  readonly name: string;
  readonly when: RouteCondition;
  readonly to: RouteGoal;
  readonly flag: string | undefined;
}

export interface RouteShadow {
  readonly name: string;
  readonly to: VersionName;
  /** Of the requests that `when` takes; 0 to 100 in steps of 0.01. */
  readonly percent: number;
  /** Undefined: all requests. */
  readonly when: RouteCondition | undefined;
  readonly flag: string | undefined;
}

/** What a request has to be like. */
export type RouteCondition =
  | { readonly all: readonly RouteCondition[] }
  | { readonly any: readonly RouteCondition[] }
  | { readonly not: RouteCondition }
  | AttributeTest;

export type AttributeValue = string | number | boolean;

/**
 * Looks at one attribute; every comparison given must hold. Of an attribute that a request has not, none does but `exists:
 * false`. Values are equal where their texts are (header `1` and number 1), FP32 elements where the number rounds to them;
 * `below` and `above` take what reads as a number.
 */
export interface AttributeTest {
  readonly of: RequestAttribute;
  readonly equals?: AttributeValue;
  readonly in?: readonly AttributeValue[];
  readonly prefix?: string;
  readonly below?: number;
  readonly above?: number;
  readonly exists?: boolean;
}

/** All that decides about the requests for one model. Plain data. */
export interface ModelTraffic {
  readonly routes: ModelRoutes | undefined;
  /** Stands over the routes. */
  readonly release: ModelRelease | undefined;
  /** Whether feedback is wanted of every answered request, and not only of those that a split assigned. Absent: no. */
  readonly judged?: boolean;
  /** Where the figures of each route are kept, from 1; a route that is not named has none. Absent: none has. */
  readonly places?: Readonly<Record<string, number>>;
}

/** The traffic of a model that nobody has said anything of. */
export const PLAIN_TRAFFIC: ModelTraffic = Object.freeze({ routes: undefined, release: undefined });

/** What routes have to fit beside the versions of a model. */
export interface ServedTraits {
  /** Of the lowest version. Absent: not known yet. */
  readonly outputs?: readonly TensorSpec[];
  /** Why that version takes no copies of requests; undefined: it does. Absent: not known yet. */
  readonly uncopied?: (version: number) => string | undefined;
}

/**
 * Asked at each publication, before a version that is new can get a request. Synchronous; never throws. What it gives fits the
 * versions and what they are: see `fittingTraffic`.
 */
export interface TrafficSource {
  trafficOf(model: string, versions: readonly number[], traits?: ServedTraits): ModelTraffic;
}

/** Buckets that keys fall into; a hundredth of a percent each. */
export const BUCKETS = 10_000;

/** Buckets of a percentage. */
export function bucketsOf(percent: number): number {
  return Math.round(percent * 100);
}
