export { CHARACTERS_A_TOKEN, type TokenizeChoice, type TokenizedText, textsAsTokens } from './texts-as-tokens.js';
