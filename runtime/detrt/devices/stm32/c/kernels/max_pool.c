/* The largest number of each window. */
#include "detc_arithmetic.h"

/* Each of `count` numbers becomes the larger of itself and its fellow. */
DETC_INLINE void raise(int8_t *numbers, const int8_t *others, int32_t count)
{
#if defined(DETC_MVE)
    for (; count > 0; count -= 16, numbers += 16, others += 16) {
        const mve_pred16_t valid = vctp8q((uint32_t)count);
        vstrbq_p_s8(numbers, vmaxq_s8(vldrbq_z_s8(numbers, valid), vldrbq_z_s8(others, valid)), valid);
    }
#else
#if defined(DETC_DSP)
    for (; count >= 4; count -= 4, numbers += 4, others += 4) {
        uint32_t best = detc_load4(numbers), unused;
        __asm__("ssub8 %1, %0, %2\n\tsel %0, %0, %2"
                : "+&r"(best), "=&r"(unused)
                : "r"(detc_load4(others))
                : "cc");
        memcpy(numbers, &best, 4);
    }
#endif
    for (int32_t i = 0; i < count; i++) {
        if (others[i] > numbers[i]) {
            numbers[i] = others[i];
        }
    }
#endif
}

void detc_max_pool(const detc_max_pool_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->input.channels;
    for (int32_t y = 0; y < p->output.height; y++) {
        const int32_t top = y * p->stride.rows - p->pad.top;
        for (int32_t x = 0; x < p->output.width; x++) {
            const int32_t left = x * p->stride.columns - p->pad.left;
            int first = 1;
            for (int32_t row = top < 0 ? 0 : top; row < top + p->kernel.rows && row < p->input.height; row++) {
                for (int32_t at = left < 0 ? 0 : left; at < left + p->kernel.columns && at < p->input.width; at++) {
                    const int8_t *const pixel = input + (row * p->input.width + at) * channels;
                    if (first) {
                        detc_copy(output, pixel, channels);
                        first = 0;
                    } else {
                        raise(output, pixel, channels);
                    }
                }
            }
            if (first) {
                memset(output, -128, (size_t)channels); /* a window of nothing but pad */
            }
            output += channels;
        }
    }
}
