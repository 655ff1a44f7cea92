/* Filters times pixels with Helium, 16 products an instruction (Cortex-M55). Lanes lie one behind the other. */
#include "multiply.h"

#if defined(DETC_MVE)

void detc_lane(int8_t *lanes, int32_t lane, const int8_t *pixel, int32_t k)
{
    memcpy(lanes + lane * k, pixel, (size_t)k);
}

/* Every second byte: the weights of one filter of a pair, where fewer than 16 are left. */
DETC_INLINE int8x16_t alternate(const int8_t *weights, mve_pred16_t valid)
{
    return vldrbq_gather_offset_z_s8(weights, vidupq_n_u8(0, 2), valid);
}

/* Four sums of one filter, rescaled and held to the output's range, written `offsets` apart. */
DETC_INLINE void store4(const detc_filters *f, int32_t filter, int32x4_t sums, int8_t *output, uint32x4_t offsets)
{
    if (f->rescale.left) {
        sums = vshlq_r_s32(sums, f->rescale.left[filter]);
    }
    sums = vmulhq_s32(sums, vdupq_n_s32(f->rescale.multiplier[filter]));
    sums = vrshlq_n_s32(sums, -(int32_t)f->rescale.right[filter]);
    sums = vaddq_n_s32(sums, f->to.zero);
    sums = vmaxq_s32(sums, vdupq_n_s32(f->to.low));
    sums = vminq_s32(sums, vdupq_n_s32(f->to.high));
    vstrbq_scatter_offset_s32(output + filter, offsets, sums);
}

/* Two filters over four pixels. */
DETC_INLINE void pair_of_filters(const detc_filters *f, int32_t filter, const int8_t *lanes, int8_t *output, uint32x4_t offsets)
{
    const int32_t k = f->k;
    const int8_t *weights = f->weights + filter * k;
    const int8_t *x0 = lanes, *x1 = x0 + k, *x2 = x1 + k, *x3 = x2 + k;
    int32_t a0 = f->bias[filter], a1 = a0, a2 = a0, a3 = a0;
    int32_t b0 = f->bias[filter + 1], b1 = b0, b2 = b0, b3 = b0;
    for (int32_t vectors = k / 16; vectors > 0; vectors--) {
        const int8x16x2_t w = vld2q_s8(weights);
        const int8x16_t v0 = vldrbq_s8(x0), v1 = vldrbq_s8(x1), v2 = vldrbq_s8(x2), v3 = vldrbq_s8(x3);
        a0 = vmladavaq_s8(a0, v0, w.val[0]);
        a1 = vmladavaq_s8(a1, v1, w.val[0]);
        a2 = vmladavaq_s8(a2, v2, w.val[0]);
        a3 = vmladavaq_s8(a3, v3, w.val[0]);
        b0 = vmladavaq_s8(b0, v0, w.val[1]);
        b1 = vmladavaq_s8(b1, v1, w.val[1]);
        b2 = vmladavaq_s8(b2, v2, w.val[1]);
        b3 = vmladavaq_s8(b3, v3, w.val[1]);
        weights += 32;
        x0 += 16;
        x1 += 16;
        x2 += 16;
        x3 += 16;
    }
    if (k % 16) {
        const mve_pred16_t valid = vctp8q((uint32_t)(k % 16));
        const int8x16_t a = alternate(weights, valid), b = alternate(weights + 1, valid);
        const int8x16_t v0 = vldrbq_z_s8(x0, valid), v1 = vldrbq_z_s8(x1, valid);
        const int8x16_t v2 = vldrbq_z_s8(x2, valid), v3 = vldrbq_z_s8(x3, valid);
        a0 = vmladavaq_s8(a0, v0, a);
        a1 = vmladavaq_s8(a1, v1, a);
        a2 = vmladavaq_s8(a2, v2, a);
        a3 = vmladavaq_s8(a3, v3, a);
        b0 = vmladavaq_s8(b0, v0, b);
        b1 = vmladavaq_s8(b1, v1, b);
        b2 = vmladavaq_s8(b2, v2, b);
        b3 = vmladavaq_s8(b3, v3, b);
    }
    const int32x4_t a = {a0, a1, a2, a3}, b = {b0, b1, b2, b3};
    store4(f, filter, a, output, offsets);
    store4(f, filter + 1, b, output, offsets);
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

void detc_multiply_lanes(const detc_filters *filters, const int8_t *lanes, int8_t *output, int32_t stride)
{
    const uint32x4_t offsets = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)stride);
    for (int32_t filter = 0; filter + 1 < filters->count; filter += 2) {
        pair_of_filters(filters, filter, lanes, output, offsets);
    }
    if (filters->count & 1) {
        for (int32_t lane = 0; lane < DETC_LANES; lane++) {
            output[lane * stride + filters->count - 1] = single_filter(filters, lanes + lane * filters->k);
        }
    }
}

void detc_multiply_pixel(const detc_filters *filters, const int8_t *pixel, int8_t *scratch, int8_t *output)
{
    const int8_t *weights = filters->weights;
    memcpy(scratch, pixel, (size_t)filters->k);
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
