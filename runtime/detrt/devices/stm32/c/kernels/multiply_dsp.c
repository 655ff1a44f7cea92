/* Filters times pixels with SMLAD, two products an instruction (Cortex-M4, M7, M33).

   Pixels are widened to 16 bits once, for all filters. Lanes lie interleaved, two numbers of each pixel in turn, so that a pair of
   filters times four pixels takes 8 SMLAD for one word of weights and four of pixels. */
#include "multiply.h"

#if defined(DETC_DSP)

/* A number as a pair whose second is 0. */
DETC_INLINE uint32_t alone(int8_t number)
{
    return (uint32_t)number & 0xFFFFu;
}

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
        const uint32_t second = rest > 1 ? (uint32_t)pixel[1] : 0u;
        *to = alone(pixel[0]) | second << 16;
        pixel += 2;
        to += step;
    }
}

int8_t *detc_lane_patch(int8_t *lanes, int32_t lane, int8_t *patch, int32_t k)
{
    (void)lanes;
    (void)lane;
    (void)k;
    return patch;
}

void detc_lane(int8_t *lanes, int32_t lane, const int8_t *pixel, int32_t k)
{
    widen((uint32_t *)(void *)lanes + lane, DETC_LANES, pixel, k);
}

/* Sums of two filters, a and b, over four pixels. */
typedef struct {
    int32_t a0, a1, a2, a3, b0, b1, b2, b3;
} sums;

/* Adds what two numbers of each filter give; x moves on by those of four pixels. */
DETC_INLINE const uint32_t *add_pair(sums *s, const uint32_t *x, uint32_t a, uint32_t b)
{
    uint32_t first, second;
    DETC_NEXT_TWO(x, first, second);
    s->a0 = detc_multiplied(first, a, s->a0);
    s->b0 = detc_multiplied(first, b, s->b0);
    s->a1 = detc_multiplied(second, a, s->a1);
    s->b1 = detc_multiplied(second, b, s->b1);
    DETC_NEXT_TWO(x, first, second);
    s->a2 = detc_multiplied(first, a, s->a2);
    s->b2 = detc_multiplied(first, b, s->b2);
    s->a3 = detc_multiplied(second, a, s->a3);
    s->b3 = detc_multiplied(second, b, s->b3);
    return x;
}

/* The same for the next two numbers of a pair of filters; both pointers move on. */
DETC_INLINE void add_next(sums *s, const uint32_t **x, const int8_t **weights)
{
    uint32_t four;
    __asm__ volatile("ldr %0, [%1], #4" : "=&r"(four), "+r"(*weights) : : "memory");
    const uint32_t even = detc_even(four);
    *x = add_pair(s, *x, even, detc_odd(four));
}

/* How sums of two filters become numbers, and the range of those in all bytes of a word. */
typedef struct {
    int32_t offset;
    uint32_t low, high;
    int32_t multiplier_a, multiplier_b;
    uint32_t right_a, right_b;
} scale;

DETC_INLINE scale scale_of(const detc_filters *f)
{
    const scale s = {2 * f->to.zero + 1, detc_four(f->to.low), detc_four(f->to.high), 0, 0, 0, 0};
    return s;
}

DETC_INLINE void choose(scale *s, const detc_rescales *rescale, int32_t filter)
{
    s->multiplier_a = rescale->multiplier[filter];
    s->multiplier_b = rescale->multiplier[filter + 1];
    s->right_a = rescale->right[filter] - 1u;
    s->right_b = rescale->right[filter + 1] - 1u;
}

DETC_INLINE int32_t shifted(int32_t sum, int32_t left)
{
    return (int32_t)((uint32_t)sum << left);
}

/* Writes the numbers of two filters at one pixel. */
DETC_INLINE void store2(int8_t *output, int32_t a, int32_t b, const scale *s)
{
    uint32_t both = detc_finished8(a, s->multiplier_a, s->right_a, s->offset);
    DETC_INSERT(both, detc_finished8(b, s->multiplier_b, s->right_b, s->offset), 8);
    const uint16_t held = (uint16_t)detc_held4(both, s->low, s->high);
    memcpy(output, &held, 2);
}

/* Two filters over four pixels; gives the weights that follow. */
DETC_INLINE const int8_t *add_pixels(sums *s, const int8_t *weights, const int8_t *lanes, int32_t k)
{
    const uint32_t *x = (const uint32_t *)(const void *)lanes;
    for (int32_t eight = k >> 3; eight > 0; eight--) {
        add_next(s, &x, &weights);
        add_next(s, &x, &weights);
        add_next(s, &x, &weights);
        add_next(s, &x, &weights);
    }
    for (int32_t rest = (k & 7) >> 1; rest > 0; rest--) {
        add_next(s, &x, &weights);
    }
    if (k & 1) {
        add_pair(s, x, alone(weights[0]), alone(weights[1]));
        weights += 2;
    }
    return weights;
}

/* The last filter of an odd number; `step` words lie between two pairs of a pixel's numbers. */
DETC_INLINE int8_t single_filter(const detc_filters *f, const uint32_t *x, int32_t step)
{
    const int32_t filter = f->count - 1;
    const int8_t *const weights = f->weights + filter * f->k;
    int32_t sum = f->bias[filter];
    int32_t i = 0;
    for (; i + 1 < f->k; i += 2) {
        const uint32_t both = alone(weights[i]) | (uint32_t)weights[i + 1] << 16;
        sum = detc_multiplied(*x, both, sum);
        x += step;
    }
    if (i < f->k) {
        sum = detc_multiplied(*x, alone(weights[i]), sum);
    }
    return detc_held(detc_rescaled_channel(sum, &f->rescale, filter), &f->to);
}

void detc_multiply_lanes(const detc_filters *filters, const int8_t *lanes, int8_t *output, int32_t stride)
{
    const detc_filters f = *filters; /* a copy: what is written to the output does not change it */
    const int8_t *weights = f.weights;
    scale by = scale_of(&f);
    int32_t filter = 0;
    for (; filter + 1 < f.count; filter += 2, output += 2) {
        const int32_t a = f.bias[filter], b = f.bias[filter + 1];
        sums s = {a, a, a, a, b, b, b, b};
        weights = add_pixels(&s, weights, lanes, f.k);
        if (f.rescale.left) {
            const int32_t left_a = f.rescale.left[filter], left_b = f.rescale.left[filter + 1];
            const sums wide = {shifted(s.a0, left_a), shifted(s.a1, left_a), shifted(s.a2, left_a), shifted(s.a3, left_a),
                               shifted(s.b0, left_b), shifted(s.b1, left_b), shifted(s.b2, left_b), shifted(s.b3, left_b)};
            s = wide;
        }
        choose(&by, &f.rescale, filter);
        store2(output, s.a0, s.b0, &by);
        store2(output + stride, s.a1, s.b1, &by);
        store2(output + 2 * stride, s.a2, s.b2, &by);
        store2(output + 3 * stride, s.a3, s.b3, &by);
    }
    if (filter < f.count) {
        for (int32_t lane = 0; lane < DETC_LANES; lane++) {
            output[lane * stride] = single_filter(&f, (const uint32_t *)(const void *)lanes + lane, DETC_LANES);
        }
    }
}

void detc_multiply_pixel(const detc_filters *filters, const int8_t *pixel, int8_t *scratch, int8_t *output)
{
    const detc_filters f = *filters;
    uint32_t *const wide = (uint32_t *)(void *)scratch;
    const int8_t *weights = f.weights;
    scale by = scale_of(&f);
    int32_t filter = 0;
    widen(wide, 1, pixel, f.k);
    for (; filter + 1 < f.count; filter += 2) {
        const uint32_t *x = wide;
        const int8_t *const end = weights + (f.k & ~1) * 2;
        int32_t a = f.bias[filter], b = f.bias[filter + 1];
        for (; weights != end; weights += 4, x++) {
            const uint32_t four = detc_load4(weights);
            a = detc_multiplied(*x, detc_even(four), a);
            b = detc_multiplied(*x, detc_odd(four), b);
        }
        if (f.k & 1) {
            a = detc_multiplied(*x, alone(weights[0]), a);
            b = detc_multiplied(*x, alone(weights[1]), b);
            weights += 2;
        }
        if (f.rescale.left) {
            a = shifted(a, f.rescale.left[filter]);
            b = shifted(b, f.rescale.left[filter + 1]);
        }
        choose(&by, &f.rescale, filter);
        store2(output + filter, a, b, &by);
    }
    if (filter < f.count) {
        output[filter] = single_filter(&f, wide, 1);
    }
}

#endif
