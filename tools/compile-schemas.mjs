// SPDX-License-Identifier: MIT
// Makes functions of the schemas of docs/schema, which tests call: to compile them takes longer than most tests.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const FORMATS = { ipv4: /^(\d{1,3}\.){3}\d{1,3}$/, ipv6: /^(?=.*:.*:)[0-9a-f:]+((\d{1,3}\.){3}\d{1,3})?$/ };

/**
 * Writes a module with a function for each schema, by the name of its file without the ending.
 * @param {string} folder
 * @param {string} output
 */
export async function compileSchemas(folder, output) {
  const { Ajv2020 } = await import('ajv/dist/2020.js');
  const { default: standalone } = await import('ajv/dist/standalone/index.js');
  const ajv = new Ajv2020({ allowUnionTypes: true, inlineRefs: false, formats: FORMATS, code: { source: true } });
  const files = readdirSync(folder);
  for (const file of files) ajv.addSchema(JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')), file);
  const names = Object.fromEntries(files.map((file) => [file.replace('.schema.json', ''), file]));
  writeFileSync(output, standalone.default(ajv, names));
}
