/* A map enlarged by whole factors. */
#include "detc_arithmetic.h"

static void nearest(const detc_resize_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->input.channels, row = p->input.width * p->factor.columns * channels;
    for (int32_t y = 0; y < p->input.height; y++) {
        const int8_t *const first = output;
        for (int32_t x = 0; x < p->input.width; x++, input += channels) {
            for (int32_t n = 0; n < p->factor.columns; n++, output += channels) {
                detc_copy(output, input, channels);
            }
        }
        for (int32_t n = 1; n < p->factor.rows; n++, output += row) {
            memcpy(output, first, (size_t)row);
        }
    }
}

/* Between which two pixels a place of the enlarged map lies, and the second's share out of 2 * factor. */
typedef struct {
    int32_t first, second, share;
} taps;

DETC_INLINE taps taps_of(int32_t place, int32_t factor, int32_t size)
{
    const int32_t ahead = 2 * place + 1 + factor; /* in units of 1 / (2 * factor) pixels, from one pixel before the first */
    const int32_t second = ahead / (2 * factor);
    const taps t = {second > 0 ? second - 1 : 0, second < size ? second : size - 1, ahead % (2 * factor)};
    return t;
}

/* Pixels stand for their middles; beyond the border lies what lies on it. One rounding, halves up. */
static void bilinear(const detc_resize_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->input.channels, width = p->input.width;
    const int32_t down = 2 * p->factor.rows, across = 2 * p->factor.columns, whole = down * across;
    for (int32_t y = 0; y < p->input.height * p->factor.rows; y++) {
        const taps rows = taps_of(y, p->factor.rows, p->input.height);
        for (int32_t x = 0; x < width * p->factor.columns; x++) {
            const taps columns = taps_of(x, p->factor.columns, width);
            const int8_t *const a = input + (rows.first * width + columns.first) * channels;
            const int8_t *const b = input + (rows.first * width + columns.second) * channels;
            const int8_t *const c = input + (rows.second * width + columns.first) * channels;
            const int8_t *const d = input + (rows.second * width + columns.second) * channels;
            const int32_t of_d = rows.share * columns.share, of_c = rows.share * across - of_d;
            const int32_t of_b = down * columns.share - of_d, of_a = whole - of_b - of_c - of_d;
            for (int32_t i = 0; i < channels; i++) {
                const int32_t sum = of_a * a[i] + of_b * b[i] + of_c * c[i] + of_d * d[i];
                *output++ = (int8_t)((sum + 128 * whole + whole / 2) / whole - 128); /* of a positive number: rounds down */
            }
        }
    }
}

void detc_resize(const detc_resize_params *p, const int8_t *input, int8_t *output)
{
    if (p->bilinear) {
        bilinear(p, input, output);
    } else {
        nearest(p, input, output);
    }
}
