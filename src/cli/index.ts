export type { CliIo, Listener, MachineProbes, RunningServer, Sink } from './io.js';
export { runCli } from './run-cli.js';
