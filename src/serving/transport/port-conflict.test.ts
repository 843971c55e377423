import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type HeldPort, holdPort } from './port-conflict.js';

const HOST = '127.0.0.1';
const held: HeldPort[] = [];
const hold = async (port: number) => {
  const one = await holdPort('HTTP', HOST, port);
  held.push(one);
  return one;
};
afterEach(async () => {
  await Promise.all(held.splice(0).map((one) => one.giveUp()));
});

const bindable = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server: Server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: HOST, port, exclusive: true }, () => server.close(() => resolve(true)));
  });

describe('a held port', () => {
  it('is nobody else’s until it is shared', async () => {
    const { port, share } = await hold(0);
    expect(await bindable(port)).toBe(false);
    await share();
    expect(await bindable(port)).toBe(true);
  });

  it.runIf(process.platform === 'linux')(
    'is refused to other gateways while it is shared, and theirs after that',
    async () => {
      const { port, share, giveUp } = await hold(0);
      await share();
      await expect(hold(port)).rejects.toMatchObject({ reason: 'CONFLICT' });
      await expect(hold(port)).rejects.toThrow(
        `HTTP: cannot listen on ${HOST} port ${port}: another process has the port`,
      );
      expect(await bindable(port)).toBe(true);
      await giveUp();
      expect((await hold(port)).port).toBe(port);
    },
  );

  it('is given up as often as one likes', async () => {
    const { port, giveUp } = await hold(0);
    await giveUp();
    await giveUp();
    expect((await hold(port)).port).toBe(port);
  });
});
