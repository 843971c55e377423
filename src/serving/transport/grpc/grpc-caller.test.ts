import { expect, it } from 'vitest';
import { isLoopbackPeer } from './grpc-caller.js';

it.each([
  ['127.0.0.1:5000', true],
  ['127.8.9.1:5000', true],
  ['::1:5000', true],
  ['::ffff:127.0.0.1:5000', true],
  ['::FFFF:127.0.0.1:1', true],
  ['10.0.0.1:5000', false],
  ['::ffff:10.0.0.1:5000', false],
  ['fe80::1:5000', false],
  ['2001:db8::1:5000', false],
  ['127.evil.example:80', false],
  ['unknown', false],
  ['', false],
])('the peer %j is of this machine: %s', (peer, loopback) => {
  expect(isLoopbackPeer(peer)).toBe(loopback);
});
