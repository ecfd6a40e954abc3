// Vectors of doubles and floats, and exact integer arithmetic on them.
//
// `Doubles` is LANES doubles in one register, `Floats` twice as many floats; + - * and comparisons
// are the compiler's own, what it has no operator for is here. Doubles hold integers below 2^53, on
// which this is exact:
//
// - adding and subtracting, as long as results stay below 2^53;
// - fma(x, m, MAGIC), which rounds x * m to an integer, because doubles around MAGIC are 1 apart:
//   one instruction for the chip's multiply-and-shift, with m = mantissa * 2^-shift. It rounds
//   halves to even; to round them up as the chip does, x is moved by a nudge first: less than what
//   could reach the next multiple of 2^-shift, and of the sign that makes the product larger.
//
// Floats do the same below 2^24, around FLOAT_MAGIC, but have no room for a nudge: see dendrite.h.
// A fused multiply-add rounds once on every CPU, so that all machines give the same bits.
#pragma once

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <arm_neon.h>
#endif

namespace SNN_TARGET {

constexpr int LANES = SNN_VECTOR_BYTES / 8;
constexpr double MAGIC = 6755399441055744.0;  // 1.5 * 2^52: room for ±2^51
constexpr float FLOAT_MAGIC = 12582912.0f;    // 1.5 * 2^23: room for ±2^22

typedef double Doubles __attribute__((vector_size(SNN_VECTOR_BYTES)));
typedef float Floats __attribute__((vector_size(SNN_VECTOR_BYTES)));
typedef int64_t Longs __attribute__((vector_size(SNN_VECTOR_BYTES)));      // a count a double
typedef int32_t Counts __attribute__((vector_size(SNN_VECTOR_BYTES)));     // a count a float
typedef int32_t Integers __attribute__((vector_size(SNN_VECTOR_BYTES / 2)));  // LANES of them
typedef int16_t Halves __attribute__((vector_size(SNN_VECTOR_BYTES)));         // two a count of Counts

template <class V> struct Lanes;
template <> struct Lanes<Doubles> { typedef double Number; typedef Longs Count; enum { n = LANES }; };
template <> struct Lanes<Floats> { typedef float Number; typedef Counts Count; enum { n = 2 * LANES }; };

template <class V> inline V load(const typename Lanes<V>::Number* from) {
  V x;
  memcpy(&x, from, sizeof x);
  return x;
}
inline Doubles load(const double* from) { return load<Doubles>(from); }
template <class V> inline void store(typename Lanes<V>::Number* to, V x) { memcpy(to, &x, sizeof x); }
template <class V> inline V splat(typename Lanes<V>::Number x) { return x - V{}; }
inline Doubles splat(double x) { return splat<Doubles>(x); }

inline Doubles to_doubles(Integers x) {
#if SNN_VECTOR_BYTES == 64
  return _mm512_cvtepi32_pd((__m256i)x);  // gcc converts halves
#else
  return __builtin_convertvector(x, Doubles);
#endif
}
inline Doubles load_integers(const int32_t* from) {
  Integers x;
  memcpy(&x, from, sizeof x);
  return to_doubles(x);
}
inline Integers to_integers(Doubles x) { return __builtin_convertvector(x, Integers); }

// x * y + z, rounded once; the smaller and the larger one; x without its fraction, and the next integer below it; a bit for each
// number that is not 0; the sums of neighbours' products; floats from doubles in memory and back, which must hold them exactly.
#if SNN_VECTOR_BYTES == 64
inline Doubles fma(Doubles x, Doubles y, Doubles z) { return _mm512_fmadd_pd(x, y, z); }
inline Doubles fnma(Doubles x, Doubles y, Doubles z) { return _mm512_fnmadd_pd(x, y, z); }
inline Floats fma(Floats x, Floats y, Floats z) { return _mm512_fmadd_ps(x, y, z); }
inline Floats fnma(Floats x, Floats y, Floats z) { return _mm512_fnmadd_ps(x, y, z); }
inline Doubles minimum(Doubles x, Doubles y) { return _mm512_min_pd(x, y); }
inline Doubles maximum(Doubles x, Doubles y) { return _mm512_max_pd(x, y); }
inline Floats minimum(Floats x, Floats y) { return _mm512_min_ps(x, y); }
inline Floats maximum(Floats x, Floats y) { return _mm512_max_ps(x, y); }
inline Doubles truncate(Doubles x) { return _mm512_roundscale_pd(x, 0x0b); }
inline Doubles floor_of(Doubles x) { return _mm512_roundscale_pd(x, 0x09); }
inline unsigned nonzero_bits(Doubles x) { return _mm512_cmp_pd_mask(x, Doubles{}, _CMP_NEQ_OQ); }
inline Counts multiply_pairs(Halves x, Halves y) { return (Counts)_mm512_madd_epi16((__m512i)x, (__m512i)y); }
inline Floats load_floats(const double* from) {
  const __m256 low = _mm512_cvtpd_ps(load(from)), high = _mm512_cvtpd_ps(load(from + 8));
  return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}
inline void store_doubles(double* to, Floats x) {
  store<Doubles>(to, _mm512_cvtps_pd(_mm512_castps512_ps256(x)));
  store<Doubles>(to + 8, _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)));
}
#elif SNN_VECTOR_BYTES == 32
inline Doubles fma(Doubles x, Doubles y, Doubles z) { return _mm256_fmadd_pd(x, y, z); }
inline Doubles fnma(Doubles x, Doubles y, Doubles z) { return _mm256_fnmadd_pd(x, y, z); }
inline Floats fma(Floats x, Floats y, Floats z) { return _mm256_fmadd_ps(x, y, z); }
inline Floats fnma(Floats x, Floats y, Floats z) { return _mm256_fnmadd_ps(x, y, z); }
inline Doubles minimum(Doubles x, Doubles y) { return _mm256_min_pd(x, y); }
inline Doubles maximum(Doubles x, Doubles y) { return _mm256_max_pd(x, y); }
inline Floats minimum(Floats x, Floats y) { return _mm256_min_ps(x, y); }
inline Floats maximum(Floats x, Floats y) { return _mm256_max_ps(x, y); }
inline Doubles truncate(Doubles x) { return _mm256_round_pd(x, 0x0b); }
inline Doubles floor_of(Doubles x) { return _mm256_round_pd(x, 0x09); }
inline unsigned nonzero_bits(Doubles x) {
  return _mm256_movemask_pd(_mm256_cmp_pd(x, Doubles{}, _CMP_NEQ_OQ));
}
inline Counts multiply_pairs(Halves x, Halves y) { return (Counts)_mm256_madd_epi16((__m256i)x, (__m256i)y); }
inline Floats load_floats(const double* from) {
  return _mm256_set_m128(_mm256_cvtpd_ps(load(from + 4)), _mm256_cvtpd_ps(load(from)));
}
inline void store_doubles(double* to, Floats x) {
  store<Doubles>(to, _mm256_cvtps_pd(_mm256_castps256_ps128(x)));
  store<Doubles>(to + 4, _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)));
}
#else
inline Doubles fma(Doubles x, Doubles y, Doubles z) {
  return (Doubles)vfmaq_f64((float64x2_t)z, (float64x2_t)x, (float64x2_t)y);
}
inline Doubles fnma(Doubles x, Doubles y, Doubles z) {
  return (Doubles)vfmsq_f64((float64x2_t)z, (float64x2_t)x, (float64x2_t)y);
}
inline Floats fma(Floats x, Floats y, Floats z) {
  return (Floats)vfmaq_f32((float32x4_t)z, (float32x4_t)x, (float32x4_t)y);
}
inline Floats fnma(Floats x, Floats y, Floats z) {
  return (Floats)vfmsq_f32((float32x4_t)z, (float32x4_t)x, (float32x4_t)y);
}
inline Doubles minimum(Doubles x, Doubles y) { return (Doubles)vminq_f64((float64x2_t)x, (float64x2_t)y); }
inline Doubles maximum(Doubles x, Doubles y) { return (Doubles)vmaxq_f64((float64x2_t)x, (float64x2_t)y); }
inline Floats minimum(Floats x, Floats y) { return (Floats)vminq_f32((float32x4_t)x, (float32x4_t)y); }
inline Floats maximum(Floats x, Floats y) { return (Floats)vmaxq_f32((float32x4_t)x, (float32x4_t)y); }
inline Doubles truncate(Doubles x) { return (Doubles)vrndq_f64((float64x2_t)x); }
inline Doubles floor_of(Doubles x) { return (Doubles)vrndmq_f64((float64x2_t)x); }
inline unsigned nonzero_bits(Doubles x) { return (x[0] != 0.0) | (x[1] != 0.0) << 1; }
inline Counts multiply_pairs(Halves x, Halves y) {
  const int16x8_t a = (int16x8_t)x, b = (int16x8_t)y;
  return (Counts)vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b));
}
inline Floats load_floats(const double* from) {
  return (Floats)vcvt_high_f32_f64(vcvt_f32_f64(vld1q_f64(from)), vld1q_f64(from + 2));
}
inline void store_doubles(double* to, Floats x) {
  vst1q_f64(to, vcvt_f64_f32(vget_low_f32((float32x4_t)x)));
  vst1q_f64(to + 2, vcvt_high_f64_f32((float32x4_t)x));
}
#endif

// A vector of either kind from doubles in memory, and back.
template <class V> inline V load_as(const double* from);
template <> inline Doubles load_as<Doubles>(const double* from) { return load(from); }
template <> inline Floats load_as<Floats>(const double* from) { return load_floats(from); }
inline void store_as(double* to, Doubles x) { store<Doubles>(to, x); }
inline void store_as(double* to, Floats x) { store_doubles(to, x); }

// Counts, lane by lane, where x and y differ: an integer a lane, which takes one instruction less.
template <class V> struct Tally {
  typename Lanes<V>::Count counts{};
  void add(V x, V y) { counts -= x != y; }
  int64_t total() const {
    int64_t sum = 0;
    for (int i = 0; i < Lanes<V>::n; ++i) sum += counts[i];
    return sum;
  }
};

template <class V> inline V clip(V x, V low, V high) { return maximum(minimum(x, high), low); }
template <class V> inline V clip(V x, V limit) { return clip(x, -limit, limit); }

inline double sum_lanes(Doubles x) {
  double sum = x[0];
  for (int i = 1; i < LANES; ++i) sum += x[i];
  return sum;
}

// table[row] for a vector of rows, less their fractions, which must be inside. Loads of pairs are
// twice as fast as the CPU's own gathering.
inline Doubles look_up(const double* table, Doubles rows) {
#if defined(__x86_64__)
  typedef uint64_t Pairs __attribute__((vector_size(SNN_VECTOR_BYTES / 2)));  // few leave at a time
  const Pairs at = (Pairs)to_integers(rows);
  const auto pair = [=](int i) {
    return _mm_loadh_pd(_mm_load_sd(table + (at[i] & 0xffffffff)), table + (at[i] >> 32));
  };
  const auto four = [=](int i) { return _mm256_set_m128d(pair(i + 1), pair(i)); };
#if SNN_VECTOR_BYTES == 64
  return _mm512_insertf64x4(_mm512_castpd256_pd512(four(0)), four(2), 1);
#else
  return four(0);
#endif
#else
  const Integers at = to_integers(rows);
  return Doubles{table[at[0]], table[at[1]]};
#endif
}

}  // namespace SNN_TARGET
