/* What the paths of the depthwise convolution have in common. */
#ifndef DETC_DEPTHWISE_H
#define DETC_DEPTHWISE_H

#include "detc_arithmetic.h"

/* One pixel of the output from the pixels of its window, `count` of them, `offset` bytes behind the pointers. A pixel that pads is
   one of zero_in. */
typedef struct {
    const detc_depthwise_params *params;
    int32_t count, channels, offset;
    const int8_t **pixels;   /* an even number: behind an odd count stands one more, which counts nothing */
    const uint32_t *weights; /* the path's own form of them */
} detc_window;

/* Brings the weights into the form that the path multiplies, at most 4 * ((count + 1) / 2) * channels bytes. */
void detc_window_weights(const detc_depthwise_params *params, int32_t count, uint32_t *weights);

/* All channels of one pixel, without the table. */
void detc_window_multiply(const detc_window *window, int8_t *output);

/* The channels from `first` on, in plain C: what is left when vectors are done. */
DETC_INLINE void detc_window_rest(const detc_window *window, int32_t first, int8_t *output)
{
    const detc_depthwise_params *const p = window->params;
    for (int32_t c = first; c < window->channels; c++) {
        int32_t sum = p->bias[c];
        for (int32_t i = 0; i < window->count; i++) {
            sum += window->pixels[i][window->offset + c] * p->weights[i * window->channels + c];
        }
        output[c] = detc_held(detc_rescaled_channel(sum, &p->rescale, c), &p->to);
    }
}

#endif
