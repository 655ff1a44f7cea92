/* Depthwise with Helium: 16 channels at a time in 16 bits where two products fit them, else four in 32 bits (Cortex-M55). */
#include "depthwise.h"

#if defined(DETC_MVE)

void detc_window_weights(const detc_depthwise_params *params, int32_t count, uint32_t *weights)
{
    (void)params;
    (void)count;
    (void)weights;
}

DETC_INLINE int32x4_t finished(int32x4_t sums, int32x4_t multiplier, int32x4_t right, const detc_output *to)
{
    sums = vrshlq_s32(vmulhq_s32(sums, multiplier), vnegq_s32(right));
    sums = vaddq_n_s32(sums, to->zero);
    return vminq_s32(vmaxq_s32(sums, vdupq_n_s32(to->low)), vdupq_n_s32(to->high));
}

/* Sums of channels c, c + 4, c + 8, c + 12 in one vector: where widening twice puts them. */
typedef struct {
    int32x4_t at0, at1, at2, at3;
} sums16;

DETC_INLINE void add(sums16 *s, int16x8_t even, int16x8_t odd)
{
    s->at0 = vaddq_s32(s->at0, vmovlbq_s16(even));
    s->at2 = vaddq_s32(s->at2, vmovltq_s16(even));
    s->at1 = vaddq_s32(s->at1, vmovlbq_s16(odd));
    s->at3 = vaddq_s32(s->at3, vmovltq_s16(odd));
}

DETC_INLINE int32x4_t finished_at(int32x4_t sums, int32x4_t multiplier, const detc_depthwise_params *p, int32_t channel)
{
    const uint32x4_t offsets = vidupq_n_u32(0, 4);
    if (p->rescale.left) {
        sums = vshlq_s32(sums, vreinterpretq_s32_u32(vldrbq_gather_offset_u32(p->rescale.left + channel, offsets)));
    }
    const uint32x4_t right = vldrbq_gather_offset_u32(p->rescale.right + channel, offsets);
    return finished(sums, multiplier, vreinterpretq_s32_u32(right), &p->to);
}

/* 16 channels from c on; no weight is -128, so two products stay within 16 bits. */
DETC_INLINE void sixteen(const detc_window *window, int32_t c, int8_t *output)
{
    const detc_depthwise_params *const p = window->params;
    const int32_t channels = window->channels;
    const int32_t at = window->offset + c;
    const int8_t *w = p->weights + c;
    const int8_t *const *pixel = window->pixels;
    const int32x4x4_t bias = vld4q_s32(p->bias + c);
    sums16 s = {bias.val[0], bias.val[1], bias.val[2], bias.val[3]};
    for (int32_t pairs = window->count / 2; pairs > 0; pairs--) {
        const int8x16_t x0 = vldrbq_s8(pixel[0] + at), w0 = vldrbq_s8(w);
        const int8x16_t x1 = vldrbq_s8(pixel[1] + at), w1 = vldrbq_s8(w + channels);
        const int16x8_t even = vaddq_s16(vmullbq_int_s8(x0, w0), vmullbq_int_s8(x1, w1));
        const int16x8_t odd = vaddq_s16(vmulltq_int_s8(x0, w0), vmulltq_int_s8(x1, w1));
        add(&s, even, odd);
        pixel += 2;
        w += 2 * channels;
    }
    if (window->count & 1) {
        const int8x16_t x0 = vldrbq_s8(*pixel + at), w0 = vldrbq_s8(w);
        add(&s, vmullbq_int_s8(x0, w0), vmulltq_int_s8(x0, w0));
    }
    const int32x4x4_t multiplier = vld4q_s32(p->rescale.multiplier + c);
    const int32x4_t q0 = finished_at(s.at0, multiplier.val[0], p, c), q1 = finished_at(s.at1, multiplier.val[1], p, c + 1);
    const int32x4_t q2 = finished_at(s.at2, multiplier.val[2], p, c + 2), q3 = finished_at(s.at3, multiplier.val[3], p, c + 3);
    const int16x8_t even = vmovntq_s32(vreinterpretq_s16_s32(q0), q2);
    const int16x8_t odd = vmovntq_s32(vreinterpretq_s16_s32(q1), q3);
    vstrbq_s8(output + c, vmovntq_s16(vreinterpretq_s8_s16(even), odd));
}

/* Up to four channels from c on. */
DETC_INLINE void four(const detc_window *window, int32_t c, int8_t *output)
{
    const detc_depthwise_params *const p = window->params;
    const mve_pred16_t valid = vctp32q((uint32_t)(window->channels - c));
    const int8_t *w = p->weights + c;
    int32x4_t sums = vldrwq_z_s32(p->bias + c, valid);
    for (int32_t i = 0; i < window->count; i++) {
        sums = vaddq_s32(sums, vmulq_s32(vldrbq_z_s32(window->pixels[i] + window->offset + c, valid), vldrbq_z_s32(w, valid)));
        w += window->channels;
    }
    if (p->rescale.left) {
        sums = vshlq_s32(sums, vreinterpretq_s32_u32(vldrbq_z_u32(p->rescale.left + c, valid)));
    }
    const int32x4_t right = vreinterpretq_s32_u32(vldrbq_z_u32(p->rescale.right + c, valid));
    vstrbq_p_s32(output + c, finished(sums, vldrwq_z_s32(p->rescale.multiplier + c, valid), right, &p->to), valid);
}

void detc_window_multiply(const detc_window *window, int8_t *output)
{
    int32_t c = 0;
    if (window->params->narrow) {
        for (; c + 16 <= window->channels; c += 16) {
            sixteen(window, c, output);
        }
    }
    for (; c < window->channels; c += 4) {
        four(window, c, output);
    }
}

#endif
