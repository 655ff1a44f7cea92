/* Depthwise with SMLAD: the pixels of a window two at a time, four channels of each (Cortex-M4, M7, M33). */
#include "depthwise.h"

#if defined(DETC_DSP)

/* For four channels after four, for two pixels after two: four words that hold the weights of both pixels. */
void detc_window_weights(const detc_depthwise_params *p, int32_t count, uint32_t *weights)
{
    const int32_t channels = p->input.channels;
    for (int32_t first = 0; first + 4 <= channels; first += 4) {
        for (int32_t i = 0; i < count; i += 2) {
            const int8_t *const w = p->weights + i * channels + first;
            const uint32_t one = detc_load4(w), two = i + 1 < count ? detc_load4(w + channels) : 0u;
            const uint32_t lower = detc_lower(one, two), upper = detc_upper(one, two);
            weights[0] = detc_even(lower);
            weights[1] = detc_odd(lower);
            weights[2] = detc_even(upper);
            weights[3] = detc_odd(upper);
            weights += 4;
        }
    }
}

void detc_window_multiply(const detc_window *window, int8_t *output)
{
    const detc_depthwise_params *const p = window->params;
    const uint32_t low = detc_four(p->to.low), high = detc_four(p->to.high);
    const int32_t offset = 2 * p->to.zero + 1;
    const uint32_t *w = window->weights;
    const int8_t *const *const end = window->pixels + (window->count + 1) / 2 * 2;
    int32_t c = 0;
    for (; c + 4 <= window->channels; c += 4) {
        int32_t s0 = p->bias[c], s1 = p->bias[c + 1], s2 = p->bias[c + 2], s3 = p->bias[c + 3];
        for (const int8_t *const *pixel = window->pixels; pixel != end; pixel += 2) {
            const uint32_t one = detc_load4(pixel[0] + c), two = detc_load4(pixel[1] + c);
            const uint32_t lower = detc_lower(one, two), upper = detc_upper(one, two);
            s0 = detc_multiplied(detc_even(lower), w[0], s0);
            s1 = detc_multiplied(detc_odd(lower), w[1], s1);
            s2 = detc_multiplied(detc_even(upper), w[2], s2);
            s3 = detc_multiplied(detc_odd(upper), w[3], s3);
            w += 4;
        }
        const uint32_t left = p->rescale.left ? detc_load4(p->rescale.left + c) : 0u;
        const uint32_t right = detc_load4(p->rescale.right + c) - 0x01010101u;
        const int32_t *const m = p->rescale.multiplier + c;
        uint32_t four = detc_finished8(s0, (int32_t)(left & 0xFFu), m[0], right, offset) & 0xFFu;
        four |= (detc_finished8(s1, (int32_t)(left >> 8 & 0xFFu), m[1], right >> 8, offset) & 0xFFu) << 8;
        four |= (detc_finished8(s2, (int32_t)(left >> 16 & 0xFFu), m[2], right >> 16, offset) & 0xFFu) << 16;
        four |= detc_finished8(s3, (int32_t)(left >> 24), m[3], right >> 24, offset) << 24;
        four = detc_held4(four, low, high);
        memcpy(output + c, &four, 4);
    }
    detc_window_rest(window, c, output);
}

#endif
