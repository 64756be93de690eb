#!/usr/bin/env node
// The program that `npx webgpu-rnn` starts.
import { main } from './main.ts';

process.exitCode = await main(process.argv.slice(2));
