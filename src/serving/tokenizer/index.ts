export { type TokenizeChoice, type TokenizedText, textsAsTokens } from './texts-as-tokens.js';
