export { type AdminOptions, startAdmin } from './admin/start-admin.js';
export type { GrpcOptions, GrpcServer } from './grpc/grpc-options.js';
export { startGrpc } from './grpc/start-grpc.js';
export type { HttpOptions, HttpServer } from './http/http-options.js';
export { startHttp } from './http/start-http.js';
export { type MetricsHttpOptions, startMetricsHttp } from './metrics-http.js';
export { type HeldPort, holdPort } from './port-conflict.js';
export type { ControlPort, InferencePort, ListeningServer, SpecPort } from './ports.js';
export { loadUws } from './uws/load-uws.js';
