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

/* Sums of four channels. */
typedef struct {
    int32_t at0, at1, at2, at3;
} sums;

/* Adds two pixels of the window; gives the weights that follow. */
DETC_INLINE const uint32_t *add_two(sums *s, const int8_t *const *pixel, int32_t at, const uint32_t *w)
{
    const uint32_t one = detc_load4(pixel[0] + at), two = detc_load4(pixel[1] + at);
    const uint32_t lower = detc_lower(one, two), upper = detc_upper(one, two);
    uint32_t w0, w1;
    DETC_NEXT_TWO(w, w0, w1);
    s->at0 = detc_multiplied(detc_even(lower), w0, s->at0);
    s->at1 = detc_multiplied(detc_odd(lower), w1, s->at1);
    DETC_NEXT_TWO(w, w0, w1);
    s->at2 = detc_multiplied(detc_even(upper), w0, s->at2);
    s->at3 = detc_multiplied(detc_odd(upper), w1, s->at3);
    return w;
}

/* The last pixel of an odd number. */
DETC_INLINE const uint32_t *add_one(sums *s, const int8_t *const *pixel, int32_t at, const uint32_t *w)
{
    const uint32_t one = detc_load4(pixel[0] + at);
    const uint32_t even = detc_even(one), odd = detc_odd(one);
    uint32_t w0, w1;
    DETC_NEXT_TWO(w, w0, w1);
    s->at0 = __smlabb((int32_t)even, (int32_t)w0, s->at0);
    s->at1 = __smlabb((int32_t)odd, (int32_t)w1, s->at1);
    DETC_NEXT_TWO(w, w0, w1);
    s->at2 = __smlatb((int32_t)even, (int32_t)w0, s->at2);
    s->at3 = __smlatb((int32_t)odd, (int32_t)w1, s->at3);
    return w;
}

/* Four numbers of the output in a word. */
DETC_INLINE uint32_t finished(const sums *s, const detc_rescales *rescale, int32_t channel, int32_t offset)
{
    const int32_t *const m = rescale->multiplier + channel;
    const uint32_t right = detc_load4(rescale->right + channel) - 0x01010101u;
    uint32_t word = detc_finished8(s->at0, m[0], right, offset);
    DETC_INSERT(word, detc_finished8(s->at1, m[1], right >> 8, offset), 8);
    DETC_INSERT(word, detc_finished8(s->at2, m[2], right >> 16, offset), 16);
    DETC_INSERT(word, detc_finished8(s->at3, m[3], right >> 24, offset), 24);
    return word;
}

void detc_window_multiply(const detc_window *window, int8_t *output)
{
    const detc_depthwise_params *const p = window->params;
    const detc_rescales rescale = p->rescale;
    const uint32_t low = detc_four(p->to.low), high = detc_four(p->to.high);
    const int32_t offset = 2 * p->to.zero + 1, channels = window->channels, pairs = window->count / 2;
    const int odd = window->count & 1, is_3x3 = window->count == 9;
    const int32_t *const bias = p->bias;
    const int8_t *const *const pixels = window->pixels;
    const uint32_t *w = window->weights;
    int32_t c = 0, at = window->offset;
    for (; c + 4 <= channels; c += 4, at += 4) {
        const int8_t *const *pixel = pixels;
        sums s = {bias[c], bias[c + 1], bias[c + 2], bias[c + 3]};
        if (is_3x3) {
            w = add_two(&s, pixel, at, w);
            w = add_two(&s, pixel + 2, at, w);
            w = add_two(&s, pixel + 4, at, w);
            w = add_two(&s, pixel + 6, at, w);
            w = add_one(&s, pixel + 8, at, w);
        } else {
            for (int32_t pair = pairs; pair > 0; pair--, pixel += 2) {
                w = add_two(&s, pixel, at, w);
            }
            if (odd) {
                w = add_one(&s, pixel, at, w);
            }
        }
        if (rescale.left) {
            s.at0 = (int32_t)((uint32_t)s.at0 << rescale.left[c]);
            s.at1 = (int32_t)((uint32_t)s.at1 << rescale.left[c + 1]);
            s.at2 = (int32_t)((uint32_t)s.at2 << rescale.left[c + 2]);
            s.at3 = (int32_t)((uint32_t)s.at3 << rescale.left[c + 3]);
        }
        const uint32_t word = detc_held4(finished(&s, &rescale, c, offset), low, high);
        memcpy(output + c, &word, 4);
    }
    detc_window_rest(window, c, output);
}

#endif
