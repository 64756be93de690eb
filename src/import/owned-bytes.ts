// Which bytes a loader has made itself, so that nobody else sees them change.

const owned = new WeakSet<Uint8Array>();

/** Marks bytes that were fetched, read or copied for this load alone. */
export function own(bytes: Uint8Array): Uint8Array {
  owned.add(bytes);
  return bytes;
}

/** Whether bytes were marked by {@link own}. */
export const isOwned = (bytes: Uint8Array): boolean => owned.has(bytes);
