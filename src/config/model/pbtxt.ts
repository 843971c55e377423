import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import textFormat from 'protobufjs/ext/textformat.js';
import { didYouMean } from '../../core/index.js';

/** A text-format file that cannot be read; `line` counts from 1. */
export class TextFormatError extends Error {
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

let modelConfigType: protobuf.Type | undefined;

/** The message type of `protos/model_config.proto`, its fields by the names the file gives them. */
function modelConfig(): protobuf.Type {
  if (modelConfigType === undefined) {
    // The package's folder, or the copy that the build leaves in `dist/` for where the program is taken along alone.
    const own = new URL('../../../protos/model_config.proto', import.meta.url);
    const file = existsSync(own) ? own : new URL('../../protos/model_config.proto', import.meta.url);
    modelConfigType = new protobuf.Root()
      .loadSync(fileURLToPath(file), { keepCase: true })
      .lookupType('inference.ModelConfig');
  }
  return modelConfigType;
}

/**
 * Reads protobuf text format (`config.pbtxt`) as a ModelConfig in its JSON form: snake_case names, enums by name, 64-bit
 * integers as numbers, only the fields that the text sets. Throws `TextFormatError`.
 */
export function readTextFormat(text: string): Record<string, unknown> {
  const type = modelConfig();
  const fault = faultOf(type, text);
  if (fault !== undefined) {
    const line = lineOf(type, text, fault);
    throw new TextFormatError(withSuggestion(type, fault, text.split('\n')[line - 1] ?? ''), line);
  }
  return type.toObject(textFormat.fromText(type, text), { enums: String, longs: Number, bytes: String });
}

/** What the parser says against `text`, or undefined. */
function faultOf(type: protobuf.Type, text: string): string | undefined {
  try {
    textFormat.fromText(type, text);
    return undefined;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

const LINE_SUFFIX = / \(line (\d+)\)$/;

/**
 * The line of a fault. The parser tells it for some faults; for the others (a wrong enum name, a number out of range) it
 * is the shortest run of whole lines from the top that has the same fault: found by halving, as a longer run keeps it.
 */
function lineOf(type: protobuf.Type, text: string, fault: string): number {
  const told = LINE_SUFFIX.exec(fault);
  if (told !== null) return Number(told[1]);
  const lines = text.split('\n');
  let low = 1;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (faultOf(type, lines.slice(0, middle).join('\n')) === fault) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The parser's message without its type prefix, with the nearest known name of a field or an enum value. */
function withSuggestion(type: protobuf.Type, fault: string, line: string): string {
  const message = fault.replace(LINE_SUFFIX, '');
  const unknown = /^\.?([\w.]+): unknown field '(.*)'$/.exec(message);
  if (unknown !== null) {
    const owner = type.root.lookupType(unknown[1]!);
    return `unknown field '${unknown[2]}' of ${owner.name}${didYouMean(unknown[2]!, Object.keys(owner.fields))}`;
  }
  const enumValue = /^\.?([\w.]+)\.(\w+): enum value expected$/.exec(message);
  if (enumValue !== null) {
    const field = type.root.lookupType(enumValue[1]!).fields[enumValue[2]!]?.resolve();
    const names = field?.resolvedType instanceof protobuf.Enum ? Object.keys(field.resolvedType.values) : [];
    const given = new RegExp(`\\b${enumValue[2]}\\s*:\\s*\\[?\\s*(\\w+)`).exec(line)?.[1];
    const got = given === undefined ? '' : `, got ${given}${didYouMean(given, names)}`;
    return `${enumValue[2]}: expected one of ${names.join(', ')}${got}`;
  }
  return message.replace(/^\.inference\./, '');
}
