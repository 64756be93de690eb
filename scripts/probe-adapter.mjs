// Prints, as JSON, the adapter that Dawn for Node finds in this environment; `kind` is 'gpu', 'cpu' or 'none'.
import { create } from 'webgpu';

globalThis.gpuRoot = create([]); // Dawn crashes when this object is collected
const adapter = await globalThis.gpuRoot.requestAdapter();
let found = { kind: 'none' };
if (adapter && adapter.info.device !== 'null-backend') {
  const { vendor, architecture, description } = adapter.info;
  const software = /swiftshader|llvmpipe|lavapipe|software/i.test(`${architecture} ${description}`);
  const features = ['shader-f16', 'subgroups', 'timestamp-query'].filter((name) =>
    adapter.features.has(name),
  );
  found = { kind: software ? 'cpu' : 'gpu', vendor, architecture, description, features };
}
console.log(JSON.stringify(found));
process.exit(0); // Dawn's threads would keep the process alive
