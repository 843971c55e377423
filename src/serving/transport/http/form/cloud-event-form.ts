import { randomUUID } from 'node:crypto';
import {
  answerEvent,
  checkEventHeaders,
  EVENT_HEADERS,
  type EventMode,
  eventMode,
  openEvent,
} from '../../../codec/index.js';
import { type Awaitable, mapped } from '../../ports.js';
import type { CallReply, DecodedCall, FormContext, InferForm } from './infer-form.js';

/** A form that takes its bodies as CloudEvents too, in either mode: such a request is answered by an event of the same mode. */
export function withCloudEvents(form: InferForm): InferForm {
  return {
    ...form,
    headers: [...(form.headers ?? []), ...EVENT_HEADERS],
    decode(body, context) {
      const mode = eventMode(context.contentType, context.header('ce-specversion'));
      if (mode === undefined) return form.decode(body, context);
      return mapped(decodedInside(form, mode, body, context), (call) => eventCall(call, mode, context));
    },
  };
}

function decodedInside(
  form: InferForm,
  mode: EventMode,
  body: Uint8Array,
  context: FormContext,
): Awaitable<DecodedCall> {
  if (mode === 'binary') {
    checkEventHeaders((name) => context.header(name));
    return form.decode(body, context);
  }
  const { data, contentType } = openEvent(body);
  return form.decode(data, { ...context, contentType, ownedBody: () => new Uint8Array(data) });
}

function eventCall(call: DecodedCall, mode: EventMode, { server }: FormContext): DecodedCall {
  return {
    begin: (infer, reply) =>
      call.begin(
        infer,
        eventReply(reply, mode, () => server.clock.wallMs()),
      ),
  };
}

/** A reply that puts what it is told into an event. Errors stay as they are. */
function eventReply(reply: CallReply, mode: EventMode, nowMs: () => number): CallReply {
  return {
    get wanted() {
      return reply.wanted;
    },
    done(answer) {
      const { response, body, contentType, headers = [] } = answer;
      if (body === undefined) return reply.done(answer);
      const { model } = response.version;
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      const event = answerEvent(mode, { model, id: randomUUID(), timeMs: nowMs(), contentType, body: bytes });
      reply.done({ ...answer, ...event, headers: [...headers, ...event.headers] });
    },
    failed: (error, mark) => reply.failed(error, mark),
  };
}
