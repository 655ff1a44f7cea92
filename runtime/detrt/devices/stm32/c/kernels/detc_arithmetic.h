/* What the kernels share: which path is compiled, and how a sum becomes a number of the output.

   Right shifts of negative numbers are taken to fill with the sign, as gcc, clang, armclang and IAR do; C99 leaves it to them. */
#ifndef DETC_ARITHMETIC_H
#define DETC_ARITHMETIC_H

#include <stdint.h>
#include <string.h>

#include "detc_kernels.h"

#if !defined(DETC_PORTABLE) && defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define DETC_MVE 1
#elif !defined(DETC_PORTABLE) && defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define DETC_DSP 1
#endif

#if defined(__GNUC__)
#define DETC_INLINE static inline __attribute__((always_inline, unused))
#define DETC_APART __attribute__((noinline))
#else
#define DETC_APART
#define DETC_INLINE static inline
#endif

/* floor((a * 2^left * multiplier / 2^32 + 2^(right - 1)) / 2^right); the compiler proved that a * 2^left fits. Half of the last
   shift comes first, so that the rounding cannot overflow. */
DETC_INLINE int32_t detc_rescaled(int32_t a, int32_t multiplier, int32_t left, int32_t right)
{
    const int32_t wide = (int32_t)((uint32_t)a << left);
    const int32_t high = (int32_t)(((int64_t)wide * multiplier) >> 32);
    return ((high >> (right - 1)) + 1) >> 1;
}

/* The same for a channel of the output. */
DETC_INLINE int32_t detc_rescaled_channel(int32_t a, const detc_rescales *rescale, int32_t channel)
{
    const int32_t left = rescale->left ? rescale->left[channel] : 0;
    return detc_rescaled(a, rescale->multiplier[channel], left, rescale->right[channel]);
}

/* zero + a, held to the output's range; without its table. */
DETC_INLINE int8_t detc_held(int32_t a, const detc_output *to)
{
    a += to->zero;
    if (a < to->low) {
        a = to->low;
    }
    return (int8_t)(a > to->high ? to->high : a);
}

#if defined(DETC_DSP)
#include <arm_acle.h>

/* Four bytes at any address. */
DETC_INLINE uint32_t detc_load4(const void *at)
{
    uint32_t word;
    memcpy(&word, at, 4);
    return word;
}

/* Bytes 0 and 2, and bytes 1 and 3, of a word as two signed halves. */
DETC_INLINE uint32_t detc_even(uint32_t bytes)
{
    uint32_t halves;
    __asm__("sxtb16 %0, %1" : "=r"(halves) : "r"(bytes));
    return halves;
}

DETC_INLINE uint32_t detc_odd(uint32_t bytes)
{
    uint32_t halves;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
    return halves;
}

/* The low halves, and the high halves, of two words: `a` below, `b` above. */
DETC_INLINE uint32_t detc_lower(uint32_t a, uint32_t b)
{
    uint32_t halves;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(halves) : "r"(a), "r"(b));
    return halves;
}

DETC_INLINE uint32_t detc_upper(uint32_t a, uint32_t b)
{
    uint32_t halves;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(halves) : "r"(b), "r"(a));
    return halves;
}

/* sum + a[0] * b[0] + a[1] * b[1] of signed halves. */
DETC_INLINE int32_t detc_multiplied(uint32_t a, uint32_t b, int32_t sum)
{
    return __smlad((int16x2_t)a, (int16x2_t)b, sum);
}

/* A number in all four bytes of a word. */
DETC_INLINE uint32_t detc_four(int32_t number)
{
    return ((uint32_t)number & 0xFFu) * 0x01010101u;
}

/* Four signed bytes held between those of `low` and of `high`: the flags of a subtraction choose each byte. */
DETC_INLINE uint32_t detc_held4(uint32_t bytes, uint32_t low, uint32_t high)
{
    uint32_t unused;
    __asm__("ssub8 %1, %0, %2\n\tsel %0, %0, %2\n\tssub8 %1, %3, %0\n\tsel %0, %0, %3"
            : "+&r"(bytes), "=&r"(unused)
            : "r"(low), "r"(high)
            : "cc");
    return bytes;
}

/* A sum, already shifted to the left, rescaled and held to 8 bits. `right` is the shift less one, in the last byte of a word;
   `offset` is twice the zero of the output, and one that rounds. */
DETC_INLINE uint32_t detc_finished8(int32_t sum, int32_t multiplier, uint32_t right, int32_t offset)
{
    const int32_t high = (int32_t)(((int64_t)sum * multiplier) >> 32);
    int32_t number;
    __asm__("asr %0, %1, %2" : "=r"(number) : "r"(high), "r"(right)); /* by the last byte */
    number += offset;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(number) : "r"(number));
    return (uint32_t)number;
}

/* Two words, and the pointer moves on behind them. Written out, because compilers part the load. */
#define DETC_NEXT_TWO(x, first, second) \
    __asm__ volatile("ldrd %0, %1, [%2], #8" : "=&r"(first), "=&r"(second), "+r"(x) : : "memory")

/* Puts the last byte of `number` at bit `at` of `word`. */
#define DETC_INSERT(word, number, at) __asm__("bfi %0, %1, #" #at ", #8" : "+r"(word) : "r"(number))
#endif

#if defined(DETC_MVE)
#include <arm_mve.h>
#endif

/* Numbers through a table of 256, in place or not. */
DETC_INLINE void detc_looked_up(const int8_t *table, const int8_t *from, int8_t *to, int32_t count)
{
#if defined(DETC_MVE)
    for (; count > 0; count -= 16, from += 16, to += 16) {
        const mve_pred16_t valid = vctp8q((uint32_t)count);
        const uint8x16_t at = veorq_u8(vreinterpretq_u8_s8(vldrbq_z_s8(from, valid)), vdupq_n_u8(128));
        vstrbq_p_s8(to, vldrbq_gather_offset_z_s8(table, at, valid), valid);
    }
#else
    const int8_t *const middle = table + 128;
    for (int32_t i = 0; i < count; i++) {
        to[i] = middle[from[i]];
    }
#endif
}

/* The activation of an output that has been written, if it has a table. */
DETC_INLINE void detc_activated(const detc_output *to, int8_t *numbers, int32_t count)
{
    if (to->table) {
        detc_looked_up(to->table, numbers, numbers, count);
    }
}

/* memcpy for short runs, without a call where the processor has better. */
DETC_INLINE void detc_copy(int8_t *to, const int8_t *from, int32_t count)
{
#if defined(DETC_MVE)
    for (; count > 0; count -= 16, from += 16, to += 16) {
        const mve_pred16_t valid = vctp8q((uint32_t)count);
        vstrbq_p_s8(to, vldrbq_z_s8(from, valid), valid);
    }
#elif defined(DETC_DSP)
    if (count >= 4 && count <= 32) {
        const uint32_t last = detc_load4(from + count - 4);
        int8_t *const end = to + count - 4;
        for (; to < end; to += 4, from += 4) {
            const uint32_t word = detc_load4(from);
            memcpy(to, &word, 4);
        }
        memcpy(end, &last, 4); /* may write some bytes again, the same */
    } else if (count < 4) {
        for (int32_t i = 0; i < count; i++) {
            to[i] = from[i];
        }
    } else {
        memcpy(to, from, (size_t)count);
    }
#else
    memcpy(to, from, (size_t)count);
#endif
}

#endif
