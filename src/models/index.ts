export type { VersionInfo } from './lifecycle/version-life.js';
export { ModelRepository } from './model-repository.js';
export { modelFiles } from './repository/model-files.js';
export type { ModelRepositoryOptions } from './repository-options.js';
