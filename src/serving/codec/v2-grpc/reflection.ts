import { GRPC_CODE_NUMBERS } from '../../../core/index.js';
import { type FileDescriptor, fileDescriptors, type StreamForm } from './file-descriptors.js';

/** A `ServerReflectionRequest` as `reflectionCalls()` decode it; `message_request` names the field that is set. */
export interface ReflectionRequest {
  readonly message_request?: string;
  readonly file_by_filename?: string;
  readonly file_containing_symbol?: string;
}

/**
 * Answers one request of gRPC server reflection with a `ServerReflectionResponse`, for `encode` of the same call. `form`: of the
 * server's streams; default Triton's.
 */
export function answerReflection(request: ReflectionRequest, form?: StreamForm): Readonly<Record<string, unknown>> {
  return { original_request: request, ...answer(request, fileDescriptors(form)) };
}

function answer(request: ReflectionRequest, files: readonly FileDescriptor[]): Readonly<Record<string, unknown>> {
  switch (request.message_request ?? '') {
    case 'list_services':
      return { list_services_response: { service: files.flatMap((file) => file.services.map((name) => ({ name }))) } };
    case 'file_by_filename':
      return fileAnswer(
        files,
        files.find((file) => file.name === request.file_by_filename),
        `file ${request.file_by_filename}`,
      );
    case 'file_containing_symbol':
      return fileAnswer(
        files,
        files.find((file) => file.symbols.includes(request.file_containing_symbol ?? '')),
        `symbol ${request.file_containing_symbol}`,
      );
    case 'all_extension_numbers_of_type':
    case 'file_containing_extension':
      return errorAnswer('NOT_FOUND', 'no message here has extensions');
    default:
      return errorAnswer('INVALID_ARGUMENT', 'the reflection request is empty');
  }
}

/** The file and those it imports, so that a client needs no second question. */
function fileAnswer(
  files: readonly FileDescriptor[],
  file: FileDescriptor | undefined,
  what: string,
): Readonly<Record<string, unknown>> {
  if (file === undefined) return errorAnswer('NOT_FOUND', `${what} is not known`);
  const imported = files.filter(({ name }) => file.imports.includes(name));
  return { file_descriptor_response: { file_descriptor_proto: [file, ...imported].map(({ bytes }) => bytes) } };
}

function errorAnswer(code: keyof typeof GRPC_CODE_NUMBERS, message: string): Readonly<Record<string, unknown>> {
  return { error_response: { error_code: GRPC_CODE_NUMBERS[code], error_message: message } };
}
