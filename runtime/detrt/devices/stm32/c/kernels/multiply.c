/* Filters times pixels in plain C. The layout of lanes is the path's own: here one pixel behind the other. */
#include "multiply.h"

#if !defined(DETC_DSP) && !defined(DETC_MVE)

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

/* The sum of a filter whose numbers lie `step` bytes apart. */
DETC_INLINE int32_t sum(const int8_t *weights, int32_t step, const int8_t *pixel, int32_t k, int32_t bias)
{
    for (int32_t i = 0; i < k; i++) {
        bias += weights[i * step] * pixel[i];
    }
    return bias;
}

DETC_INLINE void multiply(const detc_filters *filters, const int8_t *pixel, int8_t *output)
{
    const int32_t paired = filters->count & ~1;
    for (int32_t f = 0; f < filters->count; f++) {
        const int8_t *weights = filters->weights + (f < paired ? (f & ~1) * filters->k + (f & 1) : f * filters->k);
        const int32_t a = sum(weights, f < paired ? 2 : 1, pixel, filters->k, filters->bias[f]);
        output[f] = detc_held(detc_rescaled_channel(a, &filters->rescale, f), &filters->to);
    }
}

void detc_multiply_lanes(const detc_filters *filters, const int8_t *lanes, int8_t *output, int32_t stride)
{
    for (int32_t lane = 0; lane < DETC_LANES; lane++) {
        multiply(filters, lanes + lane * filters->k, output + lane * stride);
    }
}

void detc_multiply_pixel(const detc_filters *filters, const int8_t *pixel, int8_t *scratch, int8_t *output)
{
    detc_copy(scratch, pixel, filters->k);
    multiply(filters, scratch, output);
}

#endif
