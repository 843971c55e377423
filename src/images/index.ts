export { decodePicture } from './decode-picture.js';
export type { Picture } from './picture.js';
