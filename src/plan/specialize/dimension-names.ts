// What free dimensions are usually called, where nothing else tells what they are.

/** Names of the batch. */
export const BATCH_NAME = /batch|^[bn]$/i;

/** Names of time. */
export const TIME_NAME = /time|seq|step|frame|len|sample|^t\d*$/i;
