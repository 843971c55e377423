/** The smallest slot; smaller bodies share its class. */
const SMALLEST_SHIFT = 8;

/** Bytes of the largest slot, and of a region: the unit in which classes take memory. */
export const LARGEST_BYTES = 16 * 1024 * 1024;

/** Slots double from class to class: 256 bytes to 16 MiB. What a slot has beyond its lease is never touched. */
export const SIZE_CLASSES = Math.log2(LARGEST_BYTES) - SMALLEST_SHIFT + 1;

/** The class whose slots hold `bytes`, which are at most `LARGEST_BYTES`. */
export function sizeClassOf(bytes: number): number {
  return bytes <= 1 << SMALLEST_SHIFT ? 0 : 32 - Math.clz32(bytes - 1) - SMALLEST_SHIFT;
}

/** Bytes of a slot of the class. */
export function slotBytesOf(sizeClass: number): number {
  return 1 << (sizeClass + SMALLEST_SHIFT);
}
