import type { ModelTraffic, RequestAttribute, RouteCondition, WantedTraits } from '../../core/index.js';

/** What the traffic of a model makes transports read of their callers; undefined: nothing. What flags switch off counts too. */
export function wantedBy({ routes, release }: ModelTraffic): WantedTraits | undefined {
  const attributes: RequestAttribute[] = [];
  const key = (attribute: RequestAttribute | undefined) => {
    if (attribute !== undefined) attributes.push(attribute);
  };
  key(release?.split?.key);
  for (const split of Object.values(routes?.splits ?? {})) key(split.key);
  for (const { when } of [...(routes?.rules ?? []), ...(routes?.shadows ?? []), ...(routes?.filters ?? [])])
    if (when !== undefined) attributes.push(...attributesOf(when));
  const headers = new Set<string>();
  let client = false;
  for (const attribute of attributes) {
    if (attribute.from === 'header') headers.add(attribute.name.toLowerCase());
    else if (attribute.from === 'cookie') headers.add('cookie');
    else if (attribute.from === 'client') client = true;
  }
  return headers.size === 0 && !client ? undefined : { headers: [...headers], client };
}

/** What several models want, together. */
export function joinedTraits(all: Iterable<WantedTraits | undefined>): WantedTraits | undefined {
  const headers = new Set<string>();
  let client = false;
  for (const wanted of all) {
    for (const name of wanted?.headers ?? []) headers.add(name);
    client ||= wanted?.client ?? false;
  }
  return headers.size === 0 && !client ? undefined : Object.freeze({ headers: Object.freeze([...headers]), client });
}

function attributesOf(condition: RouteCondition): RequestAttribute[] {
  if ('all' in condition) return condition.all.flatMap(attributesOf);
  if ('any' in condition) return condition.any.flatMap(attributesOf);
  return 'not' in condition ? attributesOf(condition.not) : [condition.of];
}
