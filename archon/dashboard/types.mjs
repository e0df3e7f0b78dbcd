// Writes src/services/schema.ts from what the server says of itself: `make types`, or npm run types < schema.json.
import { writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import openapiTS, { astToString } from 'openapi-typescript';

const { openapi, messages, digest } = JSON.parse(await text(process.stdin));
const rest = astToString(await openapiTS({ info: { title: 'Archon', version: '0' }, ...openapi, info: { title: '', version: '' } }));
const sent = astToString(await openapiTS({ ...messages, info: { title: '', version: '' } }));
const names = Object.keys(messages.components.schemas).sort();

writeFileSync(
  new URL('src/services/schema.ts', import.meta.url),
  `// Generated from the server's own schemas by \`make types\`. Do not edit.
// digest: ${digest}
/* eslint-disable */
${rest}
export namespace Messages {
${sent.replace(/^/gm, '  ').trimEnd()}
}

export type Schema = components['schemas'];
export type Message = Messages.components['schemas'];
export type MessageName = ${names.map((name) => `'${name}'`).join(' | ')};
`,
);
