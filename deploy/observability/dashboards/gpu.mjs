// @ts-check
import { choice, dashboard, OF_INSTANCE } from './frame.mjs';
import { lines, number, row, table } from './panels.mjs';

const GPU = `${OF_INSTANCE}, device=~"cuda:.*", device=~"$device"`;

/** GPUs: are they used, what do they draw, are they well. */
export const gpu = dashboard({
  uid: 'penstock-gpu',
  title: 'Penstock / GPUs',
  description:
    'GPUs that models run on: are they used, what do they draw, are they well. Empty where a gateway reads none.',
  variables: [choice('device', 'Device', `penstock_device_info{${OF_INSTANCE}, device=~"cuda:.*"}`)],
})
  .withRow(row('Now'))
  .withPanel(
    number('GPUs', { description: 'That are read.' }, [`count(penstock_device_info{${GPU}}) or vector(0)`, 'GPUs']),
  )
  .withPanel(
    number('Power', { unit: 'watt', description: 'Of all of them.' }, [
      `sum(penstock_device_power_watts{${GPU}})`,
      'power',
    ]),
  )
  .withPanel(
    number('Energy, 24 h', { unit: 'joule', description: 'By the counters of the GPUs.' }, [
      `sum(increase(penstock_device_energy_joules_total{${GPU}}[24h]))`,
      'energy',
    ]),
  )
  .withPanel(
    number('Lost or failed', { limit: 1, description: 'Devices on which nothing runs.' }, [
      `count(penstock_device_state{${OF_INSTANCE}, device=~"$device", state=~"lost|failed"} == 1) or vector(0)`,
      'lost',
    ]),
  )
  .withPanel(
    table('Which', { width: 8, height: 4, description: 'Product and name of each.' }, [
      `penstock_device_info{${GPU}}`,
      'read',
    ]),
  )
  .withRow(row('Use'))
  .withPanel(
    lines(
      'Utilisation',
      {
        unit: 'percentunit',
        max: 1,
        description: 'Share of the last moments in which a kernel ran; not how much of the GPU it used.',
      },
      [`penstock_device_utilisation_ratio{${GPU}}`, '{{instance}} {{device}}'],
    ),
  )
  .withPanel(
    lines(
      'Memory',
      { unit: 'bytes', description: 'Used by anybody, and what there is.' },
      [`penstock_device_memory_used_bytes{${GPU}}`, '{{instance}} {{device}} used'],
      [`penstock_device_memory_size_bytes{${GPU}}`, '{{instance}} {{device}} there is'],
    ),
  )
  .withRow(row('Power'))
  .withPanel(
    lines(
      'Power',
      { unit: 'watt', description: 'Drawn, and the most that may be.' },
      [`penstock_device_power_watts{${GPU}}`, '{{instance}} {{device}}'],
      [`penstock_device_power_limit_watts{${GPU}}`, '{{instance}} {{device}} limit'],
    ),
  )
  .withPanel(
    lines(
      'Energy of an answer',
      { unit: 'joule', description: 'Energy of the GPUs over the answers of the gateway, idle time included.' },
      [
        `sum by (instance) (rate(penstock_device_energy_joules_total{${GPU}}[$__rate_interval])) / (sum by (instance) (rate(penstock_requests_total{${OF_INSTANCE}, outcome="success"}[$__rate_interval])) > 0)`,
        '{{instance}}',
      ],
    ),
  )
  .withPanel(
    lines('Temperature', { unit: 'celsius', limit: 88, description: 'It lowers its clock when it is too hot.' }, [
      `penstock_device_temperature_celsius{${GPU}}`,
      '{{instance}} {{device}}',
    ]),
  )
  .withPanel(
    lines(
      'Faults',
      { bars: true, description: 'Executions that failed for the sake of the device: no memory left, or lost.' },
      [
        `increase(penstock_device_faults_total{${OF_INSTANCE}, device=~"$device"}[$__rate_interval])`,
        '{{instance}} {{device}} {{fault}}',
      ],
    ),
  );
