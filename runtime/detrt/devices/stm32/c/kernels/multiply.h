/* Filters times pixels: what convolutions and dense layers spend their time with. */
#ifndef DETC_MULTIPLY_H
#define DETC_MULTIPLY_H

#include "detc_arithmetic.h"

/* `count` filters of `k` numbers each, in the layout of weights_layout.paired, and what becomes of their sums. */
typedef struct {
    int32_t count, k;
    const int8_t *weights;
    const int32_t *bias;
    detc_rescales rescale;
    detc_output to;
} detc_filters;

/* Pixels that are multiplied together: each weight that is loaded serves all of them. */
#define DETC_LANES 4

/* Where a patch, int8 [k], is gathered for a lane: in the lane itself, or in `patch` where it will have another form there. */
int8_t *detc_lane_patch(int8_t *lanes, int32_t lane, int8_t *patch, int32_t k);

/* Brings a pixel or patch, int8 [k], into a lane of `lanes`, in the form in which it will be multiplied. Nothing is left to do for one
   that was gathered there. */
void detc_lane(int8_t *lanes, int32_t lane, const int8_t *pixel, int32_t k);

/* output[lane * stride + filter] for all lanes and filters, without the table. */
void detc_multiply_lanes(const detc_filters *filters, const int8_t *lanes, int8_t *output, int32_t stride);

/* The same for one pixel, which is copied into `scratch`, 4 * ((k + 1) / 2) bytes, first. */
void detc_multiply_pixel(const detc_filters *filters, const int8_t *pixel, int8_t *scratch, int8_t *output);

#endif
