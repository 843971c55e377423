/**
 * Preloaded into the gateways that the bench starts (`node --import`): tells the CPU time of the process in microseconds when
 * asked by IPC; what /proc tells is in ticks of 10 ms. Ends the gateway when the bench is gone.
 */
process.on('message', (question) => {
  if (question !== 'cpu') return;
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.channel?.unref();
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
