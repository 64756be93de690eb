// `npm run docs:operators`: writes docs/operators.md.
import { writeFileSync } from 'node:fs';
import { operatorsDocument } from './operator-tables.ts';

writeFileSync(new URL('../docs/operators.md', import.meta.url), operatorsDocument());
