export type { VersionInfo } from './lifecycle/version-life.js';
export { ModelRepository, type ModelRepositoryOptions } from './model-repository.js';
export { modelFiles } from './repository/model-files.js';
