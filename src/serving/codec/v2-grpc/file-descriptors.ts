import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { protoRoot } from './proto-root.js';

/** One proto file as server reflection serves it. */
export interface FileDescriptor {
  /** `grpc_service.proto`. */
  readonly name: string;
  readonly imports: readonly string[];
  /** Full names of its services, of their methods, and of its messages and enums. */
  readonly services: readonly string[];
  readonly symbols: readonly string[];
  /** Serialised `google.protobuf.FileDescriptorProto`. */
  readonly bytes: Buffer;
}

type Plain = Record<string, unknown>;

/** Numbers of `FieldDescriptorProto.Type`. */
const SCALARS: Readonly<Record<string, number>> = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
};
const MESSAGE = 11;
const ENUM = 14;
const OPTIONAL = 1;
const REPEATED = 3;

/** What ModelStreamInfer answers with: Triton's message, or MLServer's. */
export type StreamForm = 'triton' | 'mlserver';

const files = new Map<StreamForm, readonly FileDescriptor[]>();

/**
 * The files of `protos/`, as a server of that form of streams speaks them, each after those it imports. Built here and not by protobufjs's own `toDescriptor`, which puts
 * a package's files into one and names map entries in a way protobuf runtimes refuse.
 */
export function fileDescriptors(form: StreamForm = 'triton'): readonly FileDescriptor[] {
  let built = files.get(form);
  if (built === undefined) {
    built = build(form);
    files.set(form, built);
  }
  return built;
}

function build(form: StreamForm): FileDescriptor[] {
  const root = protoRoot();
  const names = root.files.map(baseName);
  const described = names.map((name) => describeFile(root, name, IMPORTS[name] ?? [], form));
  // No imported file imports another.
  return described.sort((a, b) => a.imports.length - b.imports.length);
}

/** protobufjs keeps no imports once it has loaded them; these are checked by the tests against the files. */
const IMPORTS: Readonly<Record<string, readonly string[]>> = {
  'grpc_service.proto': ['model_config.proto'],
  'tensorflow_serving.proto': ['any.proto', 'tensorflow_core.proto', 'tensorflow_error.proto', 'wrappers.proto'],
};

function describeFile(root: protobuf.Root, name: string, imports: readonly string[], form: StreamForm): FileDescriptor {
  const members = membersOf(root, name);
  const types = members.filter((member) => member instanceof protobuf.Type);
  const enums = members.filter((member) => member instanceof protobuf.Enum);
  const services = members.filter((member) => member instanceof protobuf.Service);
  const packageName = fullName(members[0]?.parent as protobuf.ReflectionObject);
  const plain = {
    name,
    package: packageName,
    dependency: imports,
    messageType: types.map(describeType),
    enumType: enums.map(describeEnum),
    service: services.map((service) => describeService(service, form)),
    syntax: 'proto3',
  };
  const { FileDescriptorProto } = descriptor as unknown as { FileDescriptorProto: protobuf.Type };
  return {
    name,
    imports,
    services: services.map(fullName),
    symbols: [
      ...services.flatMap((service) => [fullName(service), ...service.methodsArray.map(fullName)]),
      ...types.flatMap(symbolsOf),
      ...enums.map(fullName),
    ],
    bytes: Buffer.from(FileDescriptorProto.encode(FileDescriptorProto.fromObject(plain)).finish()),
  };
}

/** Top-level types, enums and services of one file. */
function membersOf(namespace: protobuf.NamespaceBase, file: string): protobuf.ReflectionObject[] {
  const members: protobuf.ReflectionObject[] = [];
  for (const nested of namespace.nestedArray) {
    const isMember =
      nested instanceof protobuf.Type || nested instanceof protobuf.Enum || nested instanceof protobuf.Service;
    if (isMember) {
      if (nested.filename !== null && baseName(nested.filename) === file) members.push(nested);
    } else if (nested instanceof protobuf.Namespace) members.push(...membersOf(nested, file));
  }
  return members;
}

function describeType(type: protobuf.Type): Plain {
  const maps = type.fieldsArray.filter((field) => field instanceof protobuf.MapField);
  const nested = type.nestedArray;
  return {
    name: type.name,
    field: type.fieldsArray.map((field) => describeField(field, type)),
    nestedType: [
      ...nested.filter((member) => member instanceof protobuf.Type).map(describeType),
      ...maps.map(describeMapEntry),
    ],
    enumType: nested.filter((member) => member instanceof protobuf.Enum).map(describeEnum),
    oneofDecl: type.oneofsArray.map(({ name }) => ({ name })),
  };
}

function describeField(field: protobuf.FieldBase, type: protobuf.Type): Plain {
  const plain: Plain = {
    name: field.name,
    number: field.id,
    label: field.repeated || field.map ? REPEATED : OPTIONAL,
    jsonName: protobuf.util.camelCase(field.name),
  };
  if (field.map) Object.assign(plain, { type: MESSAGE, typeName: `.${fullName(type)}.${entryName(field)}` });
  else Object.assign(plain, typeOf(field));
  if (field.partOf !== null) plain.oneofIndex = type.oneofsArray.indexOf(field.partOf);
  // A field that may be absent stands in a oneof of its own, which protobuf runtimes hide by this mark.
  if (field.options?.proto3_optional === true) plain.proto3Optional = true;
  return plain;
}

/** protobuf has maps as repeated messages of a key and a value, named after the field. */
function describeMapEntry(field: protobuf.MapField): Plain {
  return {
    name: entryName(field),
    field: [
      { name: 'key', number: 1, label: OPTIONAL, type: SCALARS[field.keyType], jsonName: 'key' },
      { name: 'value', number: 2, label: OPTIONAL, ...typeOf(field), jsonName: 'value' },
    ],
    options: { mapEntry: true },
  };
}

function typeOf(field: protobuf.FieldBase): Plain {
  const { resolvedType } = field;
  if (resolvedType === null) return { type: SCALARS[field.type] };
  return { type: resolvedType instanceof protobuf.Enum ? ENUM : MESSAGE, typeName: `.${fullName(resolvedType)}` };
}

function describeEnum(type: protobuf.ReflectionObject): Plain {
  const { values } = type as protobuf.Enum;
  return { name: type.name, value: Object.entries(values).map(([name, number]) => ({ name, number })) };
}

function describeService(service: protobuf.Service, form: StreamForm): Plain {
  return {
    name: service.name,
    method: service.methodsArray.map((method) => ({
      name: method.name,
      inputType: `.${fullName(method.resolvedRequestType as protobuf.Type)}`,
      outputType: `.${fullName(answerOf(service, method, form))}`,
      clientStreaming: method.requestStream === true,
      serverStreaming: method.responseStream === true,
    })),
  };
}

/** MLServer's proto has the streams' method with the answer of the unary one. */
function answerOf(service: protobuf.Service, method: protobuf.Method, form: StreamForm): protobuf.Type {
  const same = form === 'mlserver' && method.name === 'ModelStreamInfer' ? service.methods.ModelInfer : method;
  return same?.resolvedResponseType as protobuf.Type;
}

function symbolsOf(type: protobuf.Type): string[] {
  return [
    fullName(type),
    ...type.nestedArray.flatMap((member) => (member instanceof protobuf.Type ? symbolsOf(member) : [fullName(member)])),
  ];
}

function entryName(field: protobuf.FieldBase): string {
  const name = protobuf.util.camelCase(field.name);
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}Entry`;
}

function fullName(object: protobuf.ReflectionObject): string {
  return object.fullName.slice(1);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
