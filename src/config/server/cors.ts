import { z } from 'zod';

/** An origin as browsers send it: no path, no port that goes without saying. */
const origin = z.string().transform((text, context) => {
  if (text === '*' || text === 'null') return text;
  const plain = text.toLowerCase().replace(/\/$/, '');
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/\s@?#*,]+$/.test(plain) && URL.canParse(plain)) {
    const { origin: known } = new URL(plain);
    // Of schemes that are no web's (`capacitor://localhost`) the origin is what stands there.
    return known === 'null' ? plain : known;
  }
  context.addIssue({ code: 'custom', message: `'${text}' is no origin: expected SCHEME://HOST[:PORT], null or *` });
  return z.NEVER;
});

/** Which web pages may call the HTTP port. */
export const corsSchema = z.strictObject({
  allowOrigins: z
    .array(origin)
    .default([])
    .describe(
      'Origins whose pages may read answers and open WebSockets, https://app.example say; * = any; none: no CORS',
    ),
  maxAgeSecs: z
    .int()
    .min(0)
    .max(86_400)
    .default(600)
    .describe('How long a browser may keep the answer to a pre-flight, in seconds'),
});
