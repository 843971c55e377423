import { type HttpSettings, HttpSink } from './http-sink.js';
import { type KafkaSettings, KafkaSink } from './kafka-sink.js';
import { type ParquetSettings, ParquetSink } from './parquet-sink.js';
import type { Sink, SinkReport, SinkTime } from './sink.js';

export type SinkSettings = ParquetSettings | HttpSettings | KafkaSettings;

export function createSink(settings: SinkSettings, time: SinkTime, report: SinkReport): Sink {
  if (settings.kind === 'parquet') return new ParquetSink(settings, time, report);
  if (settings.kind === 'http') return new HttpSink(settings, time, report);
  return new KafkaSink(settings, time, report);
}
