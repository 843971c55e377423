import { Arena } from '../../src/serving/arena/index.js';
import { copyBytes } from '../../src/serving/backend/index.js';
import { WALL_CLOCK } from './wall-clock.js';

/** What a slot holds once it is free: no right answer has it. */
export const POISON = 0xdb;

/** An arena that fills what is released, so that whoever reads it later gives wrong answers for sure. */
export function poisonedArena(bytes = 256 * 1024 * 1024): Arena {
  return new Arena({
    memory: new Uint8Array(new SharedArrayBuffer(bytes)),
    clock: WALL_CLOCK,
    copy: copyBytes,
    poison: POISON,
  });
}
