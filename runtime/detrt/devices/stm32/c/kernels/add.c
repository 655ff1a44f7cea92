/* The sum of two maps, each with its own scale. */
#include "detc_arithmetic.h"

void detc_add(const detc_add_params *p, const int8_t *x, const int8_t *y, int8_t *output)
{
    int32_t i = 0;
#if defined(DETC_MVE)
    for (; i < p->count; i += 4) {
        const mve_pred16_t valid = vctp32q((uint32_t)(p->count - i));
        int32x4_t sum = vmulq_n_s32(vsubq_n_s32(vldrbq_z_s32(x + i, valid), p->zero_x), p->multiplier_x);
        sum = vaddq_s32(sum, vmulq_n_s32(vsubq_n_s32(vldrbq_z_s32(y + i, valid), p->zero_y), p->multiplier_y));
        sum = vaddq_n_s32(vrshlq_n_s32(sum, -p->shift), p->to.zero);
        sum = vminq_s32(vmaxq_s32(sum, vdupq_n_s32(p->to.low)), vdupq_n_s32(p->to.high));
        vstrbq_p_s32(output + i, sum, valid);
    }
#endif
    for (; i < p->count; i++) {
        const int32_t sum = (x[i] - p->zero_x) * p->multiplier_x + (y[i] - p->zero_y) * p->multiplier_y;
        output[i] = detc_held(((sum >> (p->shift - 1)) + 1) >> 1, &p->to);
    }
    detc_activated(&p->to, output, p->count);
}
