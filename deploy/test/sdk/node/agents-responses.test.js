import { callWith } from './agents.js';
import { run } from './harness.js';

run({ call: callWith(true) });
