// Statistics of samples, and the comparison of answers.
import { describe, expect, test } from 'vitest';
import { finiteDifference, isRight, TOLERANCE, worstDifference } from '../../bench/answers.ts';
import { geometricMean, mean, median, quantile } from '../../bench/statistics.ts';

describe('statistics', () => {
  test('quantiles interpolate', () => {
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
    expect(quantile([0, 10], 0.95)).toBeCloseTo(9.5, 12);
    expect(quantile([], 0.5)).toBeNaN();
  });

  test('the median of an even number of samples is the mean of the two in the middle', () => {
    expect(median([9, 1, 2, 4])).toBe(3);
    expect(median([7])).toBe(7);
  });

  test('means', () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(geometricMean([2, 8])).toBeCloseTo(4, 12);
    expect(geometricMean([0.5, 2])).toBeCloseTo(1, 12);
    expect([mean([]), geometricMean([])]).toEqual([Number.NaN, Number.NaN]);
  });
});

describe('answers', () => {
  test('the worst element decides', () => {
    expect(worstDifference(Float32Array.of(1, 2, 3), [1, 2.5, 2.75])).toBe(0.5);
  });

  test('another length and a missing number are infinitely wrong, null in JSON', () => {
    expect(worstDifference(Float32Array.of(1), [1, 2])).toBe(Infinity);
    expect(worstDifference(Float32Array.of(Number.NaN, 0), [0, 0])).toBe(Infinity);
    expect(finiteDifference(Float32Array.of(0), [Number.NaN])).toBeNull();
    expect(isRight(null)).toBe(false);
  });

  test('right up to the tolerance', () => {
    expect(isRight(TOLERANCE)).toBe(true);
    expect(isRight(1.01 * TOLERANCE)).toBe(false);
  });
});
