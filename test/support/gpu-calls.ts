// Every call that a device and what it made get, counted, so that a fault can be put at any of them.

/** Methods that only say what something is. */
const PASSIVE = new Set(['addEventListener', 'removeEventListener', 'dispatchEvent', 'destroy']);

/** The names of the methods of an object, inherited ones included. */
function methodsOf(object: object): string[] {
  const names = new Set<string>();
  for (let at: object = object; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) {
      const { value } = Object.getOwnPropertyDescriptor(at, name)!;
      if (typeof value === 'function' && name !== 'constructor' && !PASSIVE.has(name)) {
        names.add(name);
      }
    }
  }
  return [...names];
}

/**
 * Calls `before(name)` ahead of every call of the device, its queue, and the encoders, passes and buffers that it
 * makes from now on.
 */
export function watchCalls(device: GPUDevice, before: (name: string) => void): void {
  const watch = (object: object): void => {
    const methods = object as Record<string, (...values: unknown[]) => unknown>;
    for (const name of methodsOf(object)) {
      const call = methods[name]!.bind(object);
      methods[name] = (...values) => {
        before(name);
        const made = call(...values);
        if (/^(createBuffer|createCommandEncoder|beginComputePass)$/.test(name)) {
          watch(made as object);
        }
        return made;
      };
    }
  };
  watch(device);
  watch(device.queue);
}
