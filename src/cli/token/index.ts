export { addToken } from './token-commands.js';
