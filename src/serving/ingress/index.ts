export { type IngressOptions, IngressThreads, type PublishableVersion } from './ingress-threads.js';
export { ControlDesk, type RemoteControl, type WhyAbsentHere } from './remote-control.js';
export { ingressThreads } from './thread-count.js';
export type { ListeningPorts, ThreadStart } from './thread-messages.js';
export { type ThreadServers, ThreadSide } from './thread-side.js';
