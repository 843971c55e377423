import type { CaptureRules, PayloadRule, PayloadRules } from '../core/index.js';

/** What a tap keeps of the requests of one model. */
export interface TapRule extends Pick<PayloadRule, 'request' | 'answer' | 'headers' | 'redact'> {
  /** 0 to 1: part of the requests, and of those that fail, where that is more. */
  readonly share: number;
  readonly errorShare: number;
  readonly maxBytes: number;
  /** Whether of larger ones all is kept but their elements; else they are not kept. */
  readonly strips: boolean;
}

/** Rules as data, which threads are sent. */
export type TapRulesData =
  | { readonly kind: 'capture'; readonly rules: CaptureRules; readonly maxRequestBytes: number }
  | { readonly kind: 'payload'; readonly rules: PayloadRules };

/** Rules of a tap, looked up by model. */
export interface TapRules {
  readonly tenant: CaptureRules['tenant'];
  /** All that any rule wants, each once. */
  readonly headers: readonly string[];
  /** Undefined: nothing of it is kept. */
  of(model: string): TapRule | undefined;
}

/** Models that are remembered with their rule: callers choose the names. */
const MOST_REMEMBERED = 1024;

const NOTHING_LEFT_OUT = {
  dropInputs: [],
  hashInputs: [],
  dropOutputs: [],
  maskParameters: [],
  maskHeaders: [],
  hashHeaders: [],
};

export function tapRules(data: TapRulesData): TapRules {
  const find = data.kind === 'capture' ? captureRule(data.rules, data.maxRequestBytes) : payloadRule(data.rules);
  const remembered = new Map<string, TapRule | undefined>();
  const headers = data.kind === 'capture' ? [] : data.rules.models.flatMap((rule) => rule.headers);
  return {
    tenant: data.rules.tenant,
    headers: [...new Set(headers)],
    of(model) {
      const rule = remembered.get(model);
      if (rule !== undefined || remembered.has(model)) return rule;
      const found = find(model);
      if (remembered.size < MOST_REMEMBERED) remembered.set(model, found);
      return found;
    },
  };
}

function captureRule({ percent, redact }: CaptureRules, maxBytes: number) {
  return (model: string): TapRule | undefined => {
    const share = (percent[model] ?? percent['*'] ?? 0) / 100;
    if (share === 0) return undefined;
    const left = { ...NOTHING_LEFT_OUT, ...(redact[model] ?? redact['*']) };
    return {
      share,
      errorShare: share,
      request: true,
      answer: true,
      headers: [],
      redact: left,
      maxBytes,
      strips: false,
    };
  };
}

function payloadRule({ models }: PayloadRules) {
  const rules = models.map((rule) => ({ rule, fits: patternOf(rule.model) }));
  return (model: string): TapRule | undefined => {
    const rule = rules.find(({ fits }) => fits(model))?.rule;
    if (rule === undefined) return undefined;
    const { percent, errorPercent, request, answer, headers, redact, maxRowBytes: maxBytes } = rule;
    const share = percent / 100;
    const errorShare = Math.max(share, errorPercent / 100);
    return errorShare === 0
      ? undefined
      : { share, errorShare, request, answer, headers, redact, maxBytes, strips: true };
  };
}

/** `*` stands for any characters. Without backtracking: each part is looked for behind the one before. */
function patternOf(pattern: string): (text: string) => boolean {
  const parts = pattern.split('*');
  const [first = '', last = ''] = [parts[0], parts.at(-1)];
  if (parts.length === 1) return (text) => text === pattern;
  return (text) => {
    if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
    let at = first.length;
    for (const part of parts.slice(1, -1)) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= text.length - last.length;
  };
}
