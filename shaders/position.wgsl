// The position of an index counted from the front: a negative index counts from the end. The result is
// `size` or more where the index is out of range.
fn position(index: i32, size: u32) -> u32 {
  return u32(select(index, index + i32(size), index < 0));
}
