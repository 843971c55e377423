export * from '../names.js';
export { type GrpcClientOptions, PenstockGrpcClient } from './grpc-client.js';
export { GrpcStream, type GrpcStreamOptions } from './grpc-stream.js';
