/* Filters times pixels with Helium, 16 products an instruction (Cortex-M55). Lanes lie one behind the other. */
#include "multiply.h"

#if defined(DETC_MVE)

int8_t *detc_lane_patch(int8_t *lanes, int32_t lane, int8_t *patch, int32_t k)
{
    (void)patch;
    return lanes + lane * k;
}

void detc_lane(int8_t *lanes, int32_t lane, const int8_t *pixel, int32_t k)
{
    if (pixel != lanes + lane * k) {
        detc_copy(lanes + lane * k, pixel, k);
    }
}

/* Every second byte: the weights of one filter of a pair, where fewer than 16 are left. */
DETC_INLINE int8x16_t alternate(const int8_t *weights, mve_pred16_t valid)
{
    return vldrbq_gather_offset_z_s8(weights, vidupq_n_u8(0, 2), valid);
}

/* What all filters have in common: the output's zero and range, and how far apart the four pixels of the output lie. */
typedef struct {
    int32x4_t zero, low, high;
    uint32x4_t offsets;
} ending;

/* Four sums of products with one filter: with its bias rescaled, held to the output's range and written. */
DETC_INLINE void store4(const detc_filters *f, int32_t filter, int32x4_t sums, int8_t *output, const ending *end)
{
    int32x4_t a = vaddq_n_s32(sums, f->bias[filter]);
    if (f->rescale.left) {
        a = vshlq_r_s32(a, f->rescale.left[filter]);
    }
    a = vmulhq_s32(a, vdupq_n_s32(f->rescale.multiplier[filter]));
    a = vaddq_s32(vrshlq_n_s32(a, -(int32_t)f->rescale.right[filter]), end->zero);
    vstrbq_scatter_offset_s32(output, end->offsets, vminq_s32(vmaxq_s32(a, end->low), end->high));
}

/* The products of two filters with four pixels: sums [2][4]. Apart from what uses them, because the loop needs all registers. */
static DETC_APART void add_up(const int8_t *weights, const int8_t *lanes, int32_t k, int32_t *sums)
{
    int32_t a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    const int8_t *x0 = lanes, *x1 = x0 + k, *x2 = x1 + k, *x3 = x2 + k;
    for (const int8_t *const end = weights + (k & ~15) * 2; weights != end;) {
        const int8x16x2_t w = vld2q_s8(weights);
        int8x16_t x = vldrbq_s8(x0);
        a0 = vmladavaq_s8(a0, x, w.val[0]);
        b0 = vmladavaq_s8(b0, x, w.val[1]);
        x = vldrbq_s8(x1);
        a1 = vmladavaq_s8(a1, x, w.val[0]);
        b1 = vmladavaq_s8(b1, x, w.val[1]);
        x = vldrbq_s8(x2);
        a2 = vmladavaq_s8(a2, x, w.val[0]);
        b2 = vmladavaq_s8(b2, x, w.val[1]);
        x = vldrbq_s8(x3);
        a3 = vmladavaq_s8(a3, x, w.val[0]);
        b3 = vmladavaq_s8(b3, x, w.val[1]);
        weights += 32;
        x0 += 16;
        x1 += 16;
        x2 += 16;
        x3 += 16;
    }
    if (k & 15) {
        const mve_pred16_t valid = vctp8q((uint32_t)(k & 15));
        const int8x16_t a = alternate(weights, valid), b = alternate(weights + 1, valid);
        lanes += k & ~15;
        int8x16_t x = vldrbq_z_s8(lanes, valid);
        a0 = vmladavaq_s8(a0, x, a);
        b0 = vmladavaq_s8(b0, x, b);
        x = vldrbq_z_s8(lanes += k, valid);
        a1 = vmladavaq_s8(a1, x, a);
        b1 = vmladavaq_s8(b1, x, b);
        x = vldrbq_z_s8(lanes += k, valid);
        a2 = vmladavaq_s8(a2, x, a);
        b2 = vmladavaq_s8(b2, x, b);
        x = vldrbq_z_s8(lanes += k, valid);
        a3 = vmladavaq_s8(a3, x, a);
        b3 = vmladavaq_s8(b3, x, b);
    }
    sums[0] = a0;
    sums[1] = a1;
    sums[2] = a2;
    sums[3] = a3;
    sums[4] = b0;
    sums[5] = b1;
    sums[6] = b2;
    sums[7] = b3;
}

/* The last filter of an odd number. */
DETC_INLINE int8_t single_filter(const detc_filters *f, const int8_t *pixel)
{
    const int32_t filter = f->count - 1;
    const int8_t *weights = f->weights + filter * f->k;
    int32_t sum = f->bias[filter];
    for (int32_t left = f->k; left > 0; left -= 16) {
        const mve_pred16_t valid = vctp8q((uint32_t)left);
        sum = vmladavaq_s8(sum, vldrbq_z_s8(pixel, valid), vldrbq_z_s8(weights, valid));
        pixel += 16;
        weights += 16;
    }
    return detc_held(detc_rescaled_channel(sum, &f->rescale, filter), &f->to);
}

/* All pairs of filters. */
DETC_INLINE void deep(const detc_filters *f, const int8_t *lanes, int8_t *output, const ending *end)
{
    const int8_t *weights = f->weights;
    for (int32_t filter = 0; filter + 1 < f->count; filter += 2, weights += 2 * f->k, output += 2) {
        int32_t sums[8];
        add_up(weights, lanes, f->k, sums);
        store4(f, filter, vldrwq_s32(sums), output, end);
        store4(f, filter + 1, vldrwq_s32(sums + 4), output + 1, end);
    }
}

DETC_INLINE int32x4_t products(int8x16_t w, int8x16_t x0, int8x16_t x1, int8x16_t x2, int8x16_t x3)
{
    const int32x4_t sums = {vmladavq_s8(x0, w), vmladavq_s8(x1, w), vmladavq_s8(x2, w), vmladavq_s8(x3, w)};
    return sums;
}

/* The same where a pixel has at most 16 numbers: all four stay in registers. */
DETC_INLINE void shallow(const detc_filters *f, const int8_t *lanes, int8_t *output, const ending *end)
{
    const int32_t k = f->k;
    const mve_pred16_t valid = vctp8q((uint32_t)k);
    const int8x16_t x0 = vldrbq_z_s8(lanes, valid), x1 = vldrbq_z_s8(lanes + k, valid);
    const int8x16_t x2 = vldrbq_z_s8(lanes + 2 * k, valid), x3 = vldrbq_z_s8(lanes + 3 * k, valid);
    const int8_t *weights = f->weights;
    for (int32_t filter = 0; filter + 1 < f->count; filter += 2, weights += 2 * k, output += 2) {
        store4(f, filter, products(alternate(weights, valid), x0, x1, x2, x3), output, end);
        store4(f, filter + 1, products(alternate(weights + 1, valid), x0, x1, x2, x3), output + 1, end);
    }
}

void detc_multiply_lanes(const detc_filters *filters, const int8_t *lanes, int8_t *output, int32_t stride)
{
    const detc_filters f = *filters; /* a copy: what is written to the output does not change it */
    const ending end = {vdupq_n_s32(f.to.zero), vdupq_n_s32(f.to.low), vdupq_n_s32(f.to.high),
                        vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)stride)};
    if (f.k <= 16) {
        shallow(&f, lanes, output, &end);
    } else {
        deep(&f, lanes, output, &end);
    }
    for (int32_t lane = 0; f.count % 2 && lane < DETC_LANES; lane++) {
        output[lane * stride + f.count - 1] = single_filter(&f, lanes + lane * f.k);
    }
}

void detc_multiply_pixel(const detc_filters *filters, const int8_t *pixel, int8_t *scratch, int8_t *output)
{
    const int8_t *weights = filters->weights;
    detc_copy(scratch, pixel, filters->k);
    for (int32_t filter = 0; filter + 1 < filters->count; filter += 2) {
        int32_t a = filters->bias[filter], b = filters->bias[filter + 1], i = 0;
        for (; i + 16 <= filters->k; i += 16) {
            const int8x16x2_t w = vld2q_s8(weights);
            const int8x16_t x = vldrbq_s8(scratch + i);
            a = vmladavaq_s8(a, x, w.val[0]);
            b = vmladavaq_s8(b, x, w.val[1]);
            weights += 32;
        }
        if (i < filters->k) {
            const mve_pred16_t valid = vctp8q((uint32_t)(filters->k - i));
            const int8x16_t x = vldrbq_z_s8(scratch + i, valid);
            a = vmladavaq_s8(a, x, alternate(weights, valid));
            b = vmladavaq_s8(b, x, alternate(weights + 1, valid));
            weights += 2 * (filters->k - i);
        }
        output[filter] = detc_held(detc_rescaled_channel(a, &filters->rescale, filter), &filters->to);
        output[filter + 1] = detc_held(detc_rescaled_channel(b, &filters->rescale, filter + 1), &filters->to);
    }
    if (filters->count & 1) {
        output[filters->count - 1] = single_filter(filters, scratch);
    }
}

#endif
