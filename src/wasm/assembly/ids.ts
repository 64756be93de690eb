// The numbers that kernels and functions have in the table of a program. The lowering and the
// AssemblyScript sources both read this file, so it holds nothing but whole numbers.

/** Kernels, by the first word of an entry of the table. */
export const PACK = 0;
export const PICK = 1;
export const MATMUL = 2;
export const RECURRENT = 3;
export const UNARY = 4;
export const POINTWISE = 5;
export const COPY = 6;
export const FILL = 7;
export const GATHER = 8;
export const SOFTMAX = 9;
export const REDUCE = 10;
export const NORMALIZE = 11;
export const CONV = 12;
export const CONV_TRANSPOSE = 13;
export const POOL = 14;
export const ARGUMENT = 15;
export const CUMSUM = 16;
export const FOURIER = 17;

/** Functions of one number: activations first, in the order of `cells/activations.ts`. */
export const RELU = 0;
export const TANH = 1;
export const SIGMOID = 2;
export const AFFINE = 3;
export const LEAKY_RELU = 4;
export const THRESHOLDED_RELU = 5;
export const SCALED_TANH = 6;
export const HARD_SIGMOID = 7;
export const ELU = 8;
export const SOFTSIGN = 9;
export const SOFTPLUS = 10;
export const SELU = 11;
export const EXP = 12;
export const RELU6 = 13;
export const SWISH = 14;
export const HARD_SWISH = 15;
export const MISH = 16;
export const SQRT = 17;
export const LOG = 18;
export const ABS = 19;
export const NEG = 20;
export const RECIPROCAL = 21;
export const ERF = 22;
export const FLOOR = 23;
export const CEIL = 24;
export const ROUND = 25;
export const SIGN = 26;
export const SIN = 27;
export const COS = 28;
export const NOT = 29;
export const IS_NAN = 30;
export const GELU = 31;
export const GELU_TANH = 32;
export const CELU = 33;
export const TO_BOOL = 34;
export const TO_FLOAT = 35;
export const TO_INT = 36;
export const INT_TO_BOOL = 37;
export const INT_NEG = 38;
export const INT_ABS = 39;

/** Functions of two or three numbers. */
export const ADD = 0;
export const SUB = 1;
export const MUL = 2;
export const DIV = 3;
export const MIN = 4;
export const MAX = 5;
export const EQUAL = 6;
export const LESS = 7;
export const LESS_OR_EQUAL = 8;
export const PRELU = 9;
export const POW = 10;
export const SELECT = 11;
export const INT_ADD = 12;
export const INT_SUB = 13;
export const INT_MUL = 14;
export const INT_MIN = 15;
export const INT_MAX = 16;
export const INT_EQUAL = 17;
export const INT_LESS = 18;
export const INT_LESS_OR_EQUAL = 19;
export const AND = 20;
export const OR = 21;
export const XOR = 22;

/** Reductions of a row. */
export const SUM = 0;
export const MEAN = 1;
export const MAXIMUM = 2;
export const MINIMUM = 3;
export const PRODUCT = 4;
export const L1 = 5;
export const L2 = 6;
export const LOG_SUM = 7;
export const LOG_SUM_EXP = 8;
export const SUM_SQUARE = 9;

/** Recurrent cells. */
export const CELL_RNN = 0;
export const CELL_LSTM = 1;
export const CELL_GRU_AFTER = 2;
export const CELL_GRU_BEFORE = 3;

/** How a recurrent layer stores W, R and the projection. */
export const STORED_F32 = 0;
export const STORED_F16 = 1;
export const STORED_INT8 = 2;
