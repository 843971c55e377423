export { jsonSchema } from './json-schema.js';
export { type ModelConfigSyntax, type ParsedModelConfig, parseModelConfig } from './model/parse.js';
export type { ModelConfig } from './model/schema.js';
export { referencePage, type Setting, serverSettings } from './reference-page.js';
export { FLAGS, type Flag } from './server/flags.js';
export { loadServerConfig, type ServerConfigSources } from './server/load.js';
export { type ReadFlags, readServerFlags } from './server/read-flags.js';
export type { ServerConfig } from './server/schema.js';
