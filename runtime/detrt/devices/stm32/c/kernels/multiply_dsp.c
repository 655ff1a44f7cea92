/* Filters times pixels with SMLAD, two products an instruction (Cortex-M4, M7, M33).

   Pixels are widened to 16 bits once, for all filters. Lanes lie interleaved, two numbers of each pixel in turn, so that a pair of
   filters times four pixels takes 8 SMLAD for one word of weights and four of pixels. */
#include "multiply.h"

#if defined(DETC_DSP)

/* Pixel as pairs of halves, each `step` words behind the last; a missing second half is 0. */
DETC_INLINE void widen(uint32_t *to, int32_t step, const int8_t *pixel, int32_t k)
{
    const int8_t *const end = pixel + (k & ~3);
    while (pixel != end) {
        const uint32_t four = detc_load4(pixel);
        const uint32_t even = detc_even(four), odd = detc_odd(four);
        to[0] = detc_lower(even, odd);
        to[step] = detc_upper(even, odd);
        pixel += 4;
        to += 2 * step;
    }
    for (int32_t rest = k & 3; rest > 0; rest -= 2) {
        const uint32_t second = rest > 1 ? (uint32_t)(uint16_t)pixel[1] : 0u;
        *to = (uint32_t)(uint16_t)pixel[0] | second << 16;
        pixel += 2;
        to += step;
    }
}

void detc_lane(int8_t *lanes, int32_t lane, const int8_t *pixel, int32_t k)
{
    widen((uint32_t *)(void *)lanes + lane, DETC_LANES, pixel, k);
}

/* Sums of two filters, a and b, over four pixels. */
typedef struct {
    int32_t a0, a1, a2, a3, b0, b1, b2, b3;
} sums;

/* Two words of lanes, 8 bytes on. Written out, because compilers part the load, and the loop around it is the hottest there is. */
#define NEXT_TWO(x, first, second) __asm__ volatile("ldrd %0, %1, [%2], #8" : "=r"(first), "=r"(second), "+r"(x) : : "memory")

/* Adds what two numbers of each filter give; x moves on by those of four pixels. */
DETC_INLINE const uint32_t *add_pair(sums *s, const uint32_t *x, uint32_t a, uint32_t b)
{
    uint32_t first, second;
    NEXT_TWO(x, first, second);
    s->a0 = detc_multiplied(first, a, s->a0);
    s->b0 = detc_multiplied(first, b, s->b0);
    s->a1 = detc_multiplied(second, a, s->a1);
    s->b1 = detc_multiplied(second, b, s->b1);
    NEXT_TWO(x, first, second);
    s->a2 = detc_multiplied(first, a, s->a2);
    s->b2 = detc_multiplied(first, b, s->b2);
    s->a3 = detc_multiplied(second, a, s->a3);
    s->b3 = detc_multiplied(second, b, s->b3);
    return x;
}

/* The same for the next two numbers of a pair of filters. */
DETC_INLINE const uint32_t *add_next(sums *s, const uint32_t *x, const int8_t *weights)
{
    const uint32_t four = detc_load4(weights);
    return add_pair(s, x, detc_even(four), detc_odd(four));
}

/* How sums become numbers: the constants of one filter, and the range in all bytes of a word. */
typedef struct {
    int32_t multiplier, left;
    uint32_t right;
} scale;

DETC_INLINE scale scale_of(const detc_rescales *rescale, int32_t filter)
{
    const scale s = {
        rescale->multiplier[filter], rescale->left ? rescale->left[filter] : 0, rescale->right[filter] - 1u};
    return s;
}

typedef struct {
    int32_t offset;
    uint32_t low, high;
} range;

DETC_INLINE range range_of(const detc_output *to)
{
    const range r = {2 * to->zero + 1, detc_four(to->low), detc_four(to->high)};
    return r;
}

/* Writes the numbers of two filters at one pixel. */
DETC_INLINE void store2(int8_t *output, int32_t a, const scale *sa, int32_t b, const scale *sb, const range *r)
{
    const uint32_t low = detc_finished8(a, sa->left, sa->multiplier, sa->right, r->offset) & 0xFFu;
    const uint32_t both = low | detc_finished8(b, sb->left, sb->multiplier, sb->right, r->offset) << 8;
    const uint16_t held = (uint16_t)detc_held4(both, r->low, r->high);
    memcpy(output, &held, 2);
}

/* Two filters over four pixels. */
DETC_INLINE void pair_of_filters(const detc_filters *f, int32_t filter, const int8_t *lanes, int8_t *output, int32_t stride)
{
    const int8_t *weights = f->weights + filter * f->k;
    const int8_t *const end = weights + (f->k & ~7) * 2;
    const uint32_t *x = (const uint32_t *)(const void *)lanes;
    const int32_t a = f->bias[filter], b = f->bias[filter + 1];
    sums s = {a, a, a, a, b, b, b, b};
    for (; weights != end; weights += 16) {
        x = add_next(&s, x, weights);
        x = add_next(&s, x, weights + 4);
        x = add_next(&s, x, weights + 8);
        x = add_next(&s, x, weights + 12);
    }
    for (int32_t rest = (f->k & 7) >> 1; rest > 0; rest--, weights += 4) {
        x = add_next(&s, x, weights);
    }
    if (f->k & 1) {
        add_pair(&s, x, (uint16_t)weights[0], (uint16_t)weights[1]);
    }
    const range r = range_of(&f->to);
    const scale sa = scale_of(&f->rescale, filter), sb = scale_of(&f->rescale, filter + 1);
    store2(output, s.a0, &sa, s.b0, &sb, &r);
    store2(output + stride, s.a1, &sa, s.b1, &sb, &r);
    store2(output + 2 * stride, s.a2, &sa, s.b2, &sb, &r);
    store2(output + 3 * stride, s.a3, &sa, s.b3, &sb, &r);
}

/* The last filter of an odd number; `step` words lie between two pairs of a pixel's numbers. */
DETC_INLINE int8_t single_filter(const detc_filters *f, const uint32_t *x, int32_t step)
{
    const int32_t filter = f->count - 1;
    const int8_t *const weights = f->weights + filter * f->k;
    int32_t sum = f->bias[filter];
    int32_t i = 0;
    for (; i + 1 < f->k; i += 2) {
        const uint32_t both = (uint32_t)(uint16_t)weights[i] | (uint32_t)weights[i + 1] << 16;
        sum = detc_multiplied(*x, both, sum);
        x += step;
    }
    if (i < f->k) {
        sum = detc_multiplied(*x, (uint16_t)weights[i], sum);
    }
    return detc_held(detc_rescaled_channel(sum, &f->rescale, filter), &f->to);
}

void detc_multiply_lanes(const detc_filters *filters, const int8_t *lanes, int8_t *output, int32_t stride)
{
    for (int32_t filter = 0; filter + 1 < filters->count; filter += 2) {
        pair_of_filters(filters, filter, lanes, output + filter, stride);
    }
    if (filters->count & 1) {
        for (int32_t lane = 0; lane < DETC_LANES; lane++) {
            const uint32_t *const x = (const uint32_t *)(const void *)lanes + lane;
            output[lane * stride + filters->count - 1] = single_filter(filters, x, DETC_LANES);
        }
    }
}

void detc_multiply_pixel(const detc_filters *filters, const int8_t *pixel, int8_t *scratch, int8_t *output)
{
    uint32_t *const wide = (uint32_t *)(void *)scratch;
    const int8_t *weights = filters->weights;
    const range r = range_of(&filters->to);
    widen(wide, 1, pixel, filters->k);
    for (int32_t filter = 0; filter + 1 < filters->count; filter += 2) {
        const uint32_t *x = wide;
        const int8_t *const end = weights + (filters->k & ~1) * 2;
        int32_t a = filters->bias[filter], b = filters->bias[filter + 1];
        while (weights != end) {
            const uint32_t w = detc_load4(weights);
            a = detc_multiplied(*x, detc_even(w), a);
            b = detc_multiplied(*x, detc_odd(w), b);
            weights += 4;
            x++;
        }
        if (filters->k & 1) {
            a = detc_multiplied(*x, (uint16_t)weights[0], a);
            b = detc_multiplied(*x, (uint16_t)weights[1], b);
            weights += 2;
        }
        const scale sa = scale_of(&filters->rescale, filter), sb = scale_of(&filters->rescale, filter + 1);
        store2(output + filter, a, &sa, b, &sb, &r);
    }
    if (filters->count & 1) {
        output[filters->count - 1] = single_filter(filters, wide, 1);
    }
}

#endif
