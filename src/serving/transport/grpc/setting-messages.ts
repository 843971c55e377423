import { ServingError, shownText } from '../../../core/index.js';

/** `LogSettingsRequest.SettingValue` as it is decoded: the value stands under the name of its choice. */
type SettingMessage = Readonly<Record<string, unknown>> & { readonly parameter_choice?: string };

/** The settings of a LogSettings request, the way JSON has them. Throws MALFORMED_REQUEST for one without a value. */
export function logSettingsOf(settings: Readonly<Record<string, SettingMessage>>): Readonly<Record<string, unknown>> {
  return mapped(settings, (message, name) => {
    const { parameter_choice: choice } = message;
    if (choice === undefined) throw new ServingError('MALFORMED_REQUEST', `setting ${shownText(name)} has no value`);
    return message[choice];
  });
}

/** Settings of the log as the message of an answer. */
export function logSettingsMessage(settings: object) {
  return { settings: mapped(settings as Record<string, unknown>, valueMessage) };
}

/** The settings of a TraceSetting request: lists of texts; an empty one clears its setting. */
export function traceSettingsOf(
  settings: Readonly<Record<string, { readonly value?: readonly string[] }>>,
): Readonly<Record<string, unknown>> {
  return mapped(settings, ({ value = [] }, name) => {
    if (value.length === 0) return null;
    return name === 'trace_level' || value.length > 1 ? value : value[0];
  });
}

/** Settings of traces as the message of an answer. */
export function traceSettingsMessage(settings: object) {
  const value = (text: unknown) => ({ value: Array.isArray(text) ? text : [text] });
  return { settings: mapped(settings as Record<string, unknown>, value) };
}

function valueMessage(value: unknown): object {
  if (typeof value === 'boolean') return { bool_param: value };
  return typeof value === 'number' ? { uint32_param: value } : { string_param: String(value) };
}

function mapped<From, To>(record: Readonly<Record<string, From>>, of: (value: From, name: string) => To) {
  const result = Object.create(null) as Record<string, To>;
  for (const [name, value] of Object.entries(record)) result[name] = of(value, name);
  return result;
}
