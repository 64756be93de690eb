// Runs in Deno, whose WebGPU is wgpu and naga: compiles every kernel of a case file, and runs its models with the
// built package. Prints one line of JSON: { adapter, kernels: [{ name, error }], models: [{ name, error, off }] }.
/* global Deno */
const [file, dist] = Deno.args;
const { kernels, models } = JSON.parse(await Deno.readTextFile(file));
const { loadModel, tensor } = await import(dist);

const adapter = await navigator.gpu?.requestAdapter();
if (!adapter) {
  console.log(JSON.stringify({ adapter: null }));
  Deno.exit(0);
}
const features = ['shader-f16', 'subgroups'].filter((name) => adapter.features.has(name));
const {
  maxComputeInvocationsPerWorkgroup,
  maxComputeWorkgroupSizeX,
  maxComputeWorkgroupStorageSize,
} = adapter.limits;
const newDevice = async () => {
  const source = await navigator.gpu.requestAdapter();
  return source.requestDevice({
    requiredFeatures: features,
    requiredLimits: {
      maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX,
      maxComputeWorkgroupStorageSize,
      maxStorageBuffersPerShaderStage: adapter.limits.maxStorageBuffersPerShaderStage,
    },
  });
};

async function compile(device, { name, source, enables }) {
  const missing = enables.filter(
    (each) => !features.includes(each === 'f16' ? 'shader-f16' : each),
  );
  if (missing.length > 0) return { name, skipped: `no ${missing.join(', ')}` };
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: source });
  device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const error = await device.popErrorScope();
  return { name, error: error?.message };
}

/** The largest difference of an output from the reference, beyond it or not. */
const differenceOf = ({ data }, expected) =>
  expected.reduce((worst, want, i) => {
    const off = Math.abs(Number(data[i]) - want);
    return off > worst || Number.isNaN(off) ? off : worst;
  }, 0);

/** JSON has no NaN, which stands for a parameter of an activation that is left out. */
function withNan({ attributes, ...node }) {
  const revive = (value) => (Array.isArray(value) ? value.map((each) => each ?? NaN) : value);
  const entries = Object.entries(attributes).map(([key, value]) => [key, revive(value)]);
  return { ...node, attributes: Object.fromEntries(entries) };
}

async function run(device, { name, graph, onnx, feeds, expected, options, atol }) {
  const revived = ({ type, dims, data }) => tensor(data, dims, type);
  const entries = (record) => Object.entries(record).map(([key, value]) => [key, revived(value)]);
  try {
    const source = onnx
      ? await Deno.readFile(onnx)
      : {
          ...graph,
          constants: new Map(entries(graph.constants)),
          nodes: graph.nodes.map(withNan),
        };
    const model = await loadModel(source, { device, ...options });
    const results = await model.run(Object.fromEntries(entries(feeds)));
    const off = Math.max(
      ...Object.entries(expected).map(([key, values]) => differenceOf(results[key], values)),
    );
    model.dispose();
    return { name, off, atol };
  } catch (error) {
    return { name, error: String(error) };
  }
}

const device = await newDevice();
const report = {
  adapter: adapter.info?.description || adapter.info?.device || 'wgpu',
  kernels: [],
  models: [],
};
for (const kernel of kernels) report.kernels.push(await compile(device, kernel));
for (const model of models) report.models.push(await run(device, model));
console.log(JSON.stringify(report));
Deno.exit(0);
