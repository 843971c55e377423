import { z } from 'zod';
import { API_GROUPS, type ApiGroup } from '../../core/index.js';

const FORM = /^([a-z,-]+):([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(.+)$/s;

/** Triton's `<groups>:<key>=<value>`, as one text. */
const restriction = z.string().transform((text, context) => {
  const [, names, header, value] = FORM.exec(text) ?? [];
  const fault = (message: string) => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  // Without the value: it is a secret.
  if (names === undefined || header === undefined || value === undefined)
    return fault('expected GROUP[,GROUP...]:KEY=VALUE, KEY the name of a header');
  const groups = names.split(',');
  const unknown = groups.find((name) => !API_GROUPS.some((group) => group === name));
  if (unknown !== undefined) return fault(`unknown restricted api '${unknown}'; there are ${API_GROUPS.join(', ')}`);
  return { groups: groups as ApiGroup[], header: header.toLowerCase(), value };
});

/** Groups of calls that need a key; a group has one key at most. */
export const restrictedApisSchema = z
  .array(restriction)
  .default([])
  .superRefine((restrictions, context) => {
    const groups = restrictions.flatMap((one) => one.groups);
    const twice = groups.find((group, index) => groups.indexOf(group) !== index);
    if (twice !== undefined) context.addIssue({ code: 'custom', message: `'${twice}' is restricted twice` });
  });
