/* The product of two maps, or of a map and one number a channel. */
#include "detc_arithmetic.h"

static void multiply(const detc_mul_params *p, const int8_t *x, const int8_t *y, int8_t *output, int32_t count)
{
    int32_t i = 0;
#if defined(DETC_MVE)
    for (; i < count; i += 4) {
        const mve_pred16_t valid = vctp32q((uint32_t)(count - i));
        const int32x4_t one = vsubq_n_s32(vldrbq_z_s32(x + i, valid), p->zero_x);
        const int32x4_t product = vmulq_s32(one, vsubq_n_s32(vldrbq_z_s32(y + i, valid), p->zero_y));
        int32x4_t q = vmulhq_s32(vshlq_r_s32(product, p->rescale.left), vdupq_n_s32(p->rescale.multiplier));
        q = vaddq_n_s32(vrshlq_n_s32(q, -p->rescale.right), p->to.zero);
        q = vminq_s32(vmaxq_s32(q, vdupq_n_s32(p->to.low)), vdupq_n_s32(p->to.high));
        vstrbq_p_s32(output + i, q, valid);
    }
#endif
    for (; i < count; i++) {
        const int32_t product = (x[i] - p->zero_x) * (y[i] - p->zero_y);
        output[i] = detc_held(detc_rescaled(product, p->rescale.multiplier, p->rescale.left, p->rescale.right), &p->to);
    }
}

void detc_mul(const detc_mul_params *p, const int8_t *x, const int8_t *y, int8_t *output)
{
    if (p->broadcast) {
        for (int32_t pixel = 0; pixel < p->pixels; pixel++) {
            multiply(p, x + pixel * p->channels, y, output + pixel * p->channels, p->channels);
        }
    } else {
        multiply(p, x, y, output, p->pixels * p->channels);
    }
    detc_activated(&p->to, output, p->pixels * p->channels);
}
