// The logarithmic axes of the charts.

/** Maps `from` … `to`, both positive, to `a` … `b`, in proportion to logarithms; to the middle where they are equal. */
export const logScale = (from: number, to: number, a: number, b: number) => (value: number) =>
  from === to ? (a + b) / 2 : a + (Math.log(value / from) / Math.log(to / from)) * (b - a);
