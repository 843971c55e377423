export { decodeElements, type Element, elementText, encodeElements } from './element-codec.js';
export { readNpy, writeNpy } from './npy.js';
