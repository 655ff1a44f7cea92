/* The mean of each window: what pads adds nothing and counts. */
#include "detc_arithmetic.h"

/* What of a window lies inside: `rows` by `columns` pixels from `first` on. */
typedef struct {
    const int8_t *first;
    int32_t rows, columns, row_step;
} window;

DETC_INLINE int32_t sum_of(const window *w, int32_t channel, int32_t channels)
{
    int32_t sum = 0;
    const int8_t *row = w->first + channel;
    for (int32_t r = 0; r < w->rows; r++, row += w->row_step) {
        const int8_t *pixel = row;
        for (int32_t c = 0; c < w->columns; c++, pixel += channels) {
            sum += *pixel;
        }
    }
    return sum;
}

DETC_INLINE void average(const detc_average_pool_params *p, const window *w, int8_t *output)
{
    const int32_t channels = p->input.channels, zeros = w->rows * w->columns * p->zero_in;
    int32_t c = 0;
#if defined(DETC_MVE)
    for (; c < channels; c += 4) {
        const mve_pred16_t valid = vctp32q((uint32_t)(channels - c));
        int32x4_t sums = vdupq_n_s32(-zeros);
        const int8_t *row = w->first + c;
        for (int32_t r = 0; r < w->rows; r++, row += w->row_step) {
            const int8_t *pixel = row;
            for (int32_t n = w->columns; n > 0; n--, pixel += channels) {
                sums = vaddq_s32(sums, vldrbq_z_s32(pixel, valid));
            }
        }
        sums = vmulhq_s32(vshlq_r_s32(sums, p->rescale.left), vdupq_n_s32(p->rescale.multiplier));
        sums = vaddq_n_s32(vrshlq_n_s32(sums, -p->rescale.right), p->to.zero);
        sums = vminq_s32(vmaxq_s32(sums, vdupq_n_s32(p->to.low)), vdupq_n_s32(p->to.high));
        vstrbq_p_s32(output + c, sums, valid);
    }
#endif
    for (; c < channels; c++) {
        const int32_t sum = sum_of(w, c, channels) - zeros;
        output[c] = detc_held(detc_rescaled(sum, p->rescale.multiplier, p->rescale.left, p->rescale.right), &p->to);
    }
}

/* How many of `size` pixels from `first` on lie in 0 .. `limit` - 1; `first` becomes the first of them. */
DETC_INLINE int32_t inside(int32_t *first, int32_t size, int32_t limit)
{
    int32_t end = *first + size;
    if (end > limit) {
        end = limit;
    }
    if (*first < 0) {
        *first = 0;
    }
    return end > *first ? end - *first : 0;
}

void detc_average_pool(const detc_average_pool_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->input.channels, width = p->input.width;
    for (int32_t y = 0; y < p->output.height; y++) {
        int32_t top = y * p->stride.rows - p->pad.top;
        const int32_t rows = inside(&top, p->kernel.rows, p->input.height);
        for (int32_t x = 0; x < p->output.width; x++) {
            int32_t left = x * p->stride.columns - p->pad.left;
            const int32_t columns = inside(&left, p->kernel.columns, width);
            const int32_t offset = rows > 0 && columns > 0 ? (top * width + left) * channels : 0;
            const window w = {input + offset, rows, columns, width * channels};
            average(p, &w, output);
            detc_activated(&p->to, output, channels);
            output += channels;
        }
    }
}
