/* A convolution of single pixels: they are multiplied where they lie, without patches. */
#include "pointwise.h"

/* Walks over the input's pixels that outputs are made of. */
typedef struct {
    const int8_t *row, *pixel;
    int32_t left; /* pixels of this row that are still to come */
} walk;

DETC_INLINE const int8_t *next(walk *at, const detc_conv_params *p)
{
    const int8_t *const pixel = at->pixel;
    at->pixel += p->stride.columns * p->input.channels;
    if (--at->left == 0) {
        at->row += p->stride.rows * p->input.width * p->input.channels;
        at->pixel = at->row;
        at->left = p->output.width;
    }
    return pixel;
}

void detc_pointwise(const detc_conv_params *p, const int8_t *input, int8_t *output, int8_t *scratch)
{
    const int32_t channels = p->output.channels, k = p->input.channels;
    const detc_filters filters = {channels, k, p->weights, p->bias, p->rescale, p->to};
    int32_t pixels = p->output.height * p->output.width;
    walk at = {input, input, p->output.width};
    for (; pixels >= DETC_LANES; pixels -= DETC_LANES) {
        for (int32_t lane = 0; lane < DETC_LANES; lane++) {
            detc_lane(scratch, lane, next(&at, p), k);
        }
        detc_multiply_lanes(&filters, scratch, output, channels);
        detc_activated(&p->to, output, DETC_LANES * channels);
        output += DETC_LANES * channels;
    }
    for (; pixels > 0; pixels--) {
        detc_multiply_pixel(&filters, next(&at, p), scratch, output);
        detc_activated(&p->to, output, channels);
        output += channels;
    }
}
