import type { QueueOutlook } from '../core/index.js';
import { Family } from './family.js';

/** How lines stand and what a newcomer had to expect, read when it is scraped: what an autoscaler goes by. */
export function outlookFamilies(read: () => Iterable<QueueOutlook>): Family[] {
  const gauge = (name: string, help: string, value: (outlook: QueueOutlook) => number | undefined) =>
    new Family(
      name,
      'gauge',
      help,
      function* () {
        for (const outlook of read()) {
          const told = value(outlook);
          const labels = { model: outlook.id.model, version: String(outlook.id.version) };
          if (told !== undefined) yield { labels, value: told };
        }
      },
      ['model', 'version'],
    );
  return [
    gauge(
      'penstock_queue_wait_seconds',
      'How long the request that is served next has waited; 0 where nothing waits.',
      ({ waitedMs }) => waitedMs / 1000,
    ),
    gauge(
      'penstock_predicted_finish_seconds',
      'In how long a request of one row that came now would be answered, by what was learned of the time of executions.',
      ({ answerInMs }) => answerInMs && answerInMs / 1000,
    ),
    gauge('penstock_instance_slots', 'Executions of the model version that can run at once.', ({ slots }) => slots),
    gauge('penstock_instance_slots_busy', 'Executions of it that run now.', ({ busySlots }) => busySlots),
    gauge(
      'penstock_arriving_rows_per_second',
      'Rows a second that come for the model version, smoothed over some 200 requests.',
      ({ arrivalsPerSecond }) => arrivalsPerSecond,
    ),
  ];
}
