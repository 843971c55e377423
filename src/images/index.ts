export { decodePicture, type Picture } from './decode-picture.js';
