export { jsonSchema } from './json-schema.js';
export { type ModelConfigSyntax, type ParsedModelConfig, parseModelConfig } from './model/parse.js';
export { type ModelConfig, modelConfigSchema } from './model/schema.js';
export { referencePage, type Setting, serverSettings } from './reference-page.js';
export { FLAGS, type Flag, flagNames } from './server/flags.js';
export { loadServerConfig, type ServerConfigSources } from './server/load.js';
export { type ReadFlags, readServerFlags } from './server/read-flags.js';
export { type ServerConfig, serverConfigSchema } from './server/schema.js';
export { didYouMean, nearestName } from './suggestion.js';
