/**
 * Every function of ONNX Runtime's C API that this room calls: one row each, the only place where a signature stands.
 * One wrong row is a crash, so each bound call has its test (`bound-calls.test.ts`).
 *
 * Source: `include/onnxruntime/core/session/onnxruntime_c_api.h`; slots only ever grow, `since` is the API version that
 * brought the slot (the static asserts of `onnxruntime_c_api.cc`).
 *
 * Pointers travel as numbers (`ptr`: user-space addresses are below 2^48, exact in a double): no BigInt on the hot path.
 * Whoever passes an address keeps its memory alive until the call has returned.
 */

/** Words of the signatures; each names one C type of the platform's calling convention. */
export const C_TYPES = {
  /** Any pointer, as an address. A returned `OrtStatus*` too: 0 = success. */
  ptr: 'uintptr_t',
  size: 'size_t',
  int: 'int',
  /** NUL-terminated UTF-8, copied by the call. */
  text: 'str',
  bool: 'bool',
  void: 'void',
} as const;

export type CType = keyof typeof C_TYPES;

export interface OrtFunctionRow {
  readonly slot: number;
  readonly since: number;
  readonly result: CType;
  readonly parameters: readonly CType[];
}

function row(slot: number, since: number, result: CType, parameters: string): OrtFunctionRow {
  return { slot, since, result, parameters: parameters === '' ? [] : (parameters.split(' ') as CType[]) };
}

export const ORT_FUNCTIONS = {
  /** (status) -> OrtErrorCode */
  GetErrorCode: row(1, 1, 'int', 'ptr'),
  /** (status) -> text owned by the status */
  GetErrorMessage: row(2, 1, 'text', 'ptr'),
  /** (severity, log id, OrtEnv** out) */
  CreateEnv: row(3, 1, 'ptr', 'int text ptr'),
  /** (env, path, options, OrtSession** out) */
  CreateSession: row(7, 1, 'ptr', 'ptr text ptr ptr'),
  /** (session, run options, input names, input values, inputs, output names, outputs, output values in/out) */
  Run: row(9, 1, 'ptr', 'ptr ptr ptr ptr size ptr size ptr'),
  /** (OrtSessionOptions** out) */
  CreateSessionOptions: row(10, 1, 'ptr', 'ptr'),
  /** (options, path): the session's creation writes its optimised model there */
  SetOptimizedModelFilePath: row(11, 1, 'ptr', 'ptr text'),
  /** (options, 0 sequential | 1 parallel) */
  SetSessionExecutionMode: row(13, 1, 'ptr', 'ptr int'),
  EnableMemPattern: row(16, 1, 'ptr', 'ptr'),
  DisableMemPattern: row(17, 1, 'ptr', 'ptr'),
  EnableCpuMemArena: row(18, 1, 'ptr', 'ptr'),
  DisableCpuMemArena: row(19, 1, 'ptr', 'ptr'),
  /** (options, GraphOptimizationLevel) */
  SetSessionGraphOptimizationLevel: row(23, 1, 'ptr', 'ptr int'),
  SetIntraOpNumThreads: row(24, 1, 'ptr', 'ptr int'),
  SetInterOpNumThreads: row(25, 1, 'ptr', 'ptr int'),
  /** (session, size_t* out) */
  SessionGetInputCount: row(30, 1, 'ptr', 'ptr ptr'),
  SessionGetOutputCount: row(31, 1, 'ptr', 'ptr ptr'),
  SessionGetOverridableInitializerCount: row(32, 1, 'ptr', 'ptr ptr'),
  /** (session, index, OrtTypeInfo** out, released by ReleaseTypeInfo) */
  SessionGetInputTypeInfo: row(33, 1, 'ptr', 'ptr size ptr'),
  SessionGetOutputTypeInfo: row(34, 1, 'ptr', 'ptr size ptr'),
  SessionGetOverridableInitializerTypeInfo: row(35, 1, 'ptr', 'ptr size ptr'),
  /** (session, index, allocator, char** out, freed by AllocatorFree) */
  SessionGetInputName: row(36, 1, 'ptr', 'ptr size ptr ptr'),
  SessionGetOutputName: row(37, 1, 'ptr', 'ptr size ptr ptr'),
  SessionGetOverridableInitializerName: row(38, 1, 'ptr', 'ptr size ptr ptr'),
  /** (OrtRunOptions** out) */
  CreateRunOptions: row(39, 1, 'ptr', 'ptr'),
  /** (run options): the run in flight with them ends at the next node; stays set until unset. Any thread may call it. */
  RunOptionsSetTerminate: row(46, 1, 'ptr', 'ptr'),
  RunOptionsUnsetTerminate: row(47, 1, 'ptr', 'ptr'),
  /** (allocator, int64 shape, rank, element type, OrtValue** out) */
  CreateTensorAsOrtValue: row(48, 1, 'ptr', 'ptr ptr size int ptr'),
  /** (memory info, data, bytes, int64 shape, rank, element type, OrtValue** out): the data stays ours */
  CreateTensorWithDataAsOrtValue: row(49, 1, 'ptr', 'ptr ptr size ptr size int ptr'),
  /** (value, int* out) */
  IsTensor: row(50, 1, 'ptr', 'ptr ptr'),
  /** (value, void** out) */
  GetTensorMutableData: row(51, 1, 'ptr', 'ptr ptr'),
  /** (value, size_t* bytes of all strings together) */
  GetStringTensorDataLength: row(53, 1, 'ptr', 'ptr ptr'),
  /** (value, bytes, byte length, size_t* offsets, offsets) */
  GetStringTensorContent: row(54, 1, 'ptr', 'ptr ptr size ptr size'),
  /** (type info, const OrtTensorTypeAndShapeInfo** out, owned by the type info; null where it is no tensor) */
  CastTypeInfoToTensorInfo: row(55, 1, 'ptr', 'ptr ptr'),
  /** (type info, ONNXType* out) */
  GetOnnxTypeFromTypeInfo: row(56, 1, 'ptr', 'ptr ptr'),
  /** (tensor info, ONNXTensorElementDataType* out) */
  GetTensorElementType: row(60, 1, 'ptr', 'ptr ptr'),
  GetDimensionsCount: row(61, 1, 'ptr', 'ptr ptr'),
  /** (tensor info, int64* out, rank) */
  GetDimensions: row(62, 1, 'ptr', 'ptr ptr size'),
  /** (tensor info, const char** out, rank): names of symbolic axes, else ''; owned by the tensor info */
  GetSymbolicDimensions: row(63, 1, 'ptr', 'ptr ptr size'),
  /** (value, OrtTensorTypeAndShapeInfo** out, released by ReleaseTensorTypeAndShapeInfo) */
  GetTensorTypeAndShape: row(65, 1, 'ptr', 'ptr ptr'),
  /** (name, 0 device | 1 arena, device id, memory type 0, OrtMemoryInfo** out): of `Cpu`, `Cuda` */
  CreateMemoryInfo: row(68, 1, 'ptr', 'text int int int ptr'),
  /** (0 device | 1 arena, memory type 0, OrtMemoryInfo** out) */
  CreateCpuMemoryInfo: row(69, 1, 'ptr', 'int int ptr'),
  /** (allocator, bytes, void** out) */
  AllocatorAlloc: row(75, 1, 'ptr', 'ptr size ptr'),
  AllocatorFree: row(76, 1, 'ptr', 'ptr ptr'),
  /** (OrtAllocator** out, never released) */
  GetAllocatorWithDefaultOptions: row(78, 1, 'ptr', 'ptr'),
  ReleaseStatus: row(93, 1, 'void', 'ptr'),
  ReleaseMemoryInfo: row(94, 1, 'void', 'ptr'),
  ReleaseSession: row(95, 1, 'void', 'ptr'),
  ReleaseValue: row(96, 1, 'void', 'ptr'),
  ReleaseRunOptions: row(97, 1, 'void', 'ptr'),
  ReleaseTypeInfo: row(98, 1, 'void', 'ptr'),
  ReleaseTensorTypeAndShapeInfo: row(99, 1, 'void', 'ptr'),
  ReleaseSessionOptions: row(100, 1, 'void', 'ptr'),
  /** (char*** out, int* count) and (char**, count) */
  GetAvailableProviders: row(125, 4, 'ptr', 'ptr ptr'),
  ReleaseAvailableProviders: row(126, 4, 'ptr', 'ptr int'),
  /** (severity, log id, threading options, OrtEnv** out): copies the options */
  CreateEnvWithGlobalThreadPools: row(119, 3, 'ptr', 'int text ptr ptr'),
  /** (session options): its runs work on the threads of the environment */
  DisablePerSessionThreads: row(120, 3, 'ptr', 'ptr'),
  /** (OrtThreadingOptions** out) */
  CreateThreadingOptions: row(121, 3, 'ptr', 'ptr'),
  ReleaseThreadingOptions: row(122, 3, 'void', 'ptr'),
  /** (options, key, value) */
  AddSessionConfigEntry: row(130, 5, 'ptr', 'ptr text text'),
  /** (session, memory info, OrtAllocator** out): refuses memory that no provider of the session has */
  CreateAllocator: row(131, 5, 'ptr', 'ptr ptr ptr'),
  ReleaseAllocator: row(132, 5, 'void', 'ptr'),
  /** (session, run options, binding) */
  RunWithBinding: row(133, 5, 'ptr', 'ptr ptr ptr'),
  /** (session, OrtIoBinding** out) */
  CreateIoBinding: row(134, 5, 'ptr', 'ptr ptr'),
  ReleaseIoBinding: row(135, 5, 'void', 'ptr'),
  /** (binding, name, value): copies the value now where it is not in the memory that the session reads it from */
  BindInput: row(136, 5, 'ptr', 'ptr text ptr'),
  /** (binding, name, value): a run writes the value in place */
  BindOutput: row(137, 5, 'ptr', 'ptr text ptr'),
  /** (threading options, threads) */
  SetGlobalIntraOpNumThreads: row(147, 5, 'ptr', 'ptr int'),
  SetGlobalInterOpNumThreads: row(148, 5, 'ptr', 'ptr int'),
  /** (threading options, 0 threads sleep | 1 they spin) */
  SetGlobalSpinControl: row(149, 5, 'ptr', 'ptr int'),
  /** (run options, key, value) */
  AddRunConfigEntry: row(165, 8, 'ptr', 'ptr text text'),
  /** (value, int* out): 0 for an optional output that holds nothing */
  HasValue: row(192, 10, 'ptr', 'ptr ptr'),
  /** (session options, CUDA options) */
  SessionOptionsAppendExecutionProvider_CUDA_V2: row(204, 11, 'ptr', 'ptr ptr'),
  /** (OrtCUDAProviderOptionsV2** out) */
  CreateCUDAProviderOptions: row(205, 11, 'ptr', 'ptr'),
  /** (CUDA options, keys, values, count) */
  UpdateCUDAProviderOptions: row(206, 11, 'ptr', 'ptr ptr ptr size'),
  ReleaseCUDAProviderOptions: row(208, 11, 'void', 'ptr'),
  /** (memory info, int* out): 0 CPU, 1 GPU; pinned memory counts as it is named */
  MemoryInfoGetDeviceType: row(225, 14, 'void', 'ptr ptr'),
  /** (type info, const OrtOptionalTypeInfo** out, owned by the type info) */
  CastTypeInfoToOptionalTypeInfo: row(250, 15, 'ptr', 'ptr ptr'),
  /** (optional info, OrtTypeInfo** out, released by ReleaseTypeInfo) */
  GetOptionalContainedTypeInfo: row(251, 15, 'ptr', 'ptr ptr'),
  /** (value, index, byte length, char** buffer): exact for NUL, invalid UTF-8 and empty, unlike FillStringTensor */
  GetResizedStringTensorElementBuffer: row(252, 15, 'ptr', 'ptr size size ptr'),
  /** () -> text that lives as long as the library */
  GetBuildInfoString: row(254, 15, 'text', ''),
  /** (pairs, key) -> text owned by the pairs; null where there is no such key */
  GetKeyValue: row(297, 22, 'text', 'ptr text'),
  ReleaseKeyValuePairs: row(300, 22, 'void', 'ptr'),
  /** (allocator, OrtKeyValuePairs** out): empty where the allocator keeps no figures */
  AllocatorGetStats: row(319, 23, 'ptr', 'ptr ptr'),
  /** (memory info) -> 0 the device's own memory, 5 memory that the host reaches too */
  MemoryInfoGetDeviceMemType: row(321, 23, 'int', 'ptr'),
  /** (session, const OrtMemoryInfo** out, inputs): where the session reads each input from, in its order */
  SessionGetMemoryInfoForInputs: row(380, 23, 'ptr', 'ptr ptr size'),
  SessionGetMemoryInfoForOutputs: row(381, 23, 'ptr', 'ptr ptr size'),
  /** (tensor info) -> whether the model says a shape at all */
  TensorTypeAndShape_HasShape: row(390, 24, 'bool', 'ptr'),
  /** (session, const OrtEpAssignedSubgraph* const** out, size_t* out): owned by the session */
  Session_GetEpGraphAssignmentInfo: row(407, 24, 'ptr', 'ptr ptr ptr'),
  /** (subgraph, const char** out) */
  EpAssignedSubgraph_GetEpName: row(408, 24, 'ptr', 'ptr ptr'),
  /** (subgraph, const OrtEpAssignedNode* const** out, size_t* out) */
  EpAssignedSubgraph_GetNodes: row(409, 24, 'ptr', 'ptr ptr ptr'),
} as const satisfies Record<string, OrtFunctionRow>;

export type OrtFunctionName = keyof typeof ORT_FUNCTIONS;

/** Below this API version (ONNX Runtime 1.15) strings cannot be filled exactly: such a library is refused. */
export const OLDEST_API_VERSION = 15;
/** The newest API version whose slots this table was checked against; a newer library is asked for this one. */
export const NEWEST_API_VERSION = 31;

/** `OrtLoggingLevel`: only FATAL keeps ONNX Runtime from printing a line for each cancelled run. */
export const LOG_FATAL = 4;
/** `ONNXType` values. */
export const ONNX_TYPES = ['unknown', 'tensor', 'sequence', 'map', 'opaque', 'sparse_tensor', 'optional'] as const;
