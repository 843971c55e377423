export { type ModelConfigSyntax, type ParsedModelConfig, parseModelConfig } from './model/parse.js';
export { type ModelConfig, modelConfigSchema } from './model/schema.js';
export { didYouMean, nearestName } from './suggestion.js';
