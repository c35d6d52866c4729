/*
 * What compiled code calls by name and no library at hand brings for wasm32: the compiler's own helper for multiplying
 * 128-bit numbers. Swift asks for it to see whether a 64-bit product overflows.
 */
#include <stdint.h>

/* The result depends on the numbers alone, signed or not, modulo 2^128. The processor's order of bytes is wasm's:
 * little-endian. */
typedef union wide {
  __int128 whole;
  struct {
    uint64_t low, high;
  } half;
} wide;

__int128 __multi3(__int128 a, __int128 b);

__int128 __multi3(__int128 a, __int128 b) {
  const wide x = {.whole = a}, y = {.whole = b};
  const uint64_t x0 = (uint32_t)x.half.low, x1 = x.half.low >> 32;
  const uint64_t y0 = (uint32_t)y.half.low, y1 = y.half.low >> 32;
  const uint64_t p00 = x0 * y0, p10 = x1 * y0, p01 = x0 * y1, p11 = x1 * y1;
  /* At most 3 * (2^32 - 1): no carry is lost. */
  const uint64_t middle = (p00 >> 32) + (uint32_t)p10 + (uint32_t)p01;
  wide product;
  product.half.low = middle << 32 | (uint32_t)p00;
  product.half.high = p11 + (p10 >> 32) + (p01 >> 32) + (middle >> 32) + x.half.low * y.half.high +
                      x.half.high * y.half.low;
  return product.whole;
}
