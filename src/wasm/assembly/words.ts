// What the words of the longest entries mean. The kernels in AssemblyScript and those in TypeScript read this
// file, so it holds nothing but whole numbers. Pointers and strides are in bytes.

/** A direction of a recurrent layer: the cell, sizes, and whether time runs backwards. */
export const KIND = 0, T = 1, B = 2, I = 3, H = 4, O = 5, REVERSE = 6;
export const X = 7, X_TIME = 8, X_ROW = 9;
export const W = 10, BIAS = 11, R = 12, R_CANDIDATE = 13, R_BIAS = 14;
/** Columns of W; of R where the candidate has a product of its own. */
export const COLUMNS = 15, GATE_COLUMNS = 16;
export const XW = 17, CHUNK = 18, GATES = 19;
export const INITIAL_H = 20, INITIAL_H_ROW = 21, INITIAL_C = 22, INITIAL_C_ROW = 23;
export const STATE_H = 24, H_ROW = 25, STATE_C = 26, C_ROW = 27;
export const Y = 28, Y_TIME = 29, Y_ROW = 30;
export const LAST_H = 31, LAST_H_ROW = 32, LAST_C = 33, LAST_C_ROW = 34;
export const LENGTHS = 35, MASK = 36, MASK_TIME = 37, MASK_ROW = 38, REPEATED = 39;
export const PEEPHOLES = 40, COUPLED = 41, PROJECTION = 42, MADE = 43;
/** How W, R and the projection are stored. */
export const STORAGE = 44;
/** The limit, then kind, alpha and beta of each of three activations. */
export const CLIP = 45, ACT = 46;
/** Room for rounded rows where weights have 8 bits, for a panel of float32 where they have half precision; else 0. */
export const ROOM = 55;

/** Convolutions and pooling: batch, groups, channels of a group, filters of a group, then the window. */
export const BATCH = 0, GROUPS = 1, CHANNELS = 2, FILTERS = 3;
export const IN_H = 4, IN_W = 5, OUT_H = 6, OUT_W = 7, KERNEL_H = 8, KERNEL_W = 9;
export const STRIDE_H = 10, STRIDE_W = 11, DILATION_H = 12, DILATION_W = 13, PAD_H = 14, PAD_W = 15;
export const IMAGE = 16;
/** What convolutions have behind the image. */
export const WEIGHTS = 17, WEIGHTS_GROUP = 18, CONV_BIAS = 19, OUT = 20, UNFOLDED = 21, PRODUCT = 22, PLACES = 23, CONV_EDGE = 24;
/** What pooling has behind the image: 1 for the mean, the result, 1 to count padding, ends of the padded image. */
export const IS_MEAN = 17, POOLED = 18, COUNT_PAD = 19, END_H = 20, END_W = 21;

/** Sliding Fourier transforms: images of one channel, their width, windows of each, numbers from window to window. */
export const F_BATCH = 0, F_WIDTH = 1, F_PLACES = 2, F_STRIDE = 3;
/** Numbers of a window, a power of two; frequencies from 0 on; rows of the result from one to the next, and to its imaginary part. */
export const F_SIZE = 4, BINS = 5, BIN_STEP = 6, IMAGINARY = 7;
/** 1 where the imaginary part has the sign of e^-iωt, -1 for the other. */
export const SIGN = 8;
/** The images; half the window, then cos and -sin of each step around a circle; the result [image][row][window]; room for 8 numbers of each of a window. */
export const SIGNAL = 9, BASIS = 10, F_OUT = 11, F_ROOM = 12;
