// Runs in Deno, whose WebGPU is wgpu and naga: compiles every kernel of a case file, and runs its models with the
// built package. Prints one line of JSON: { adapter, kernels: [{ name, error }], models: [{ name, error, off }] }.
// Numbers that JSON does not have are { number: 'NaN' } and so on.
/* global Deno */
const [file, dist] = Deno.args;
const revive = (_, value) => (value?.number === undefined ? value : Number(value.number));
const { kernels, models } = JSON.parse(await Deno.readTextFile(file), revive);
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

/** The maximum difference of an output from the reference; infinite where only one of them is a number. */
const differenceOf = ({ data }, expected) =>
  expected.reduce((worst, want, i) => {
    const got = Number(data[i]);
    if (Object.is(got, want)) return worst;
    const off = Math.abs(got - want);
    return Number.isNaN(off) ? Infinity : Math.max(worst, off);
  }, 0);

async function run(device, { group, name, graph, onnx, feeds, expected, options, atol }) {
  const tensorOf = ({ type, dims, data }) => tensor(data, dims, type);
  const entries = (record) => Object.entries(record).map(([key, value]) => [key, tensorOf(value)]);
  try {
    const source = onnx
      ? await Deno.readFile(onnx)
      : { ...graph, constants: new Map(entries(graph.constants)) };
    const model = await loadModel(source, { device, ...options });
    const results = await model.run(Object.fromEntries(entries(feeds)));
    const off = Math.max(
      ...Object.entries(expected).map(([key, values]) => differenceOf(results[key], values)),
    );
    model.dispose();
    // JSON would make it null.
    return { group, name, off: Math.min(off, Number.MAX_VALUE), atol };
  } catch (error) {
    return { group, name, error: String(error) };
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
