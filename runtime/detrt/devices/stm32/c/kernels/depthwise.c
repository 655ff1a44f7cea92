/* One filter a channel: a table of pointers holds the window of a pixel of the output, so that borders cost nothing. */
#include "depthwise.h"

#if !defined(DETC_DSP) && !defined(DETC_MVE)
void detc_window_weights(const detc_depthwise_params *params, int32_t count, uint32_t *weights)
{
    (void)params;
    (void)count;
    (void)weights;
}

void detc_window_multiply(const detc_window *window, int8_t *output)
{
    detc_window_rest(window, 0, output);
}
#endif

/* Points at the window whose first pixel is (row, column); outside of the input at `border`. 1 if all of it lies inside. */
DETC_INLINE int look(
    const detc_depthwise_params *p, const int8_t *input, const int8_t *border, int32_t row, int32_t column, const int8_t **pixels)
{
    int inside = 1;
    for (int32_t r = 0; r < p->kernel.rows; r++, row += p->dilation.rows) {
        const int row_inside = row >= 0 && row < p->input.height;
        int32_t at = column;
        for (int32_t c = 0; c < p->kernel.columns; c++, at += p->dilation.columns) {
            const int pixel_inside = row_inside && at >= 0 && at < p->input.width;
            *pixels++ = pixel_inside ? input + (row * p->input.width + at) * p->input.channels : border;
            inside = inside && pixel_inside;
        }
    }
    return inside;
}

void detc_depthwise(const detc_depthwise_params *p, const int8_t *input, int8_t *output, void *scratch)
{
    const int32_t channels = p->input.channels, count = p->kernel.rows * p->kernel.columns, pairs = (count + 1) / 2;
    int8_t *const border = scratch;
    const int8_t **const pixels = (const int8_t **)(void *)(border + (channels + 7) / 8 * 8);
    uint32_t *const weights = (uint32_t *)(void *)(border + (channels + 7) / 8 * 8 + pairs * 16);
    detc_window window = {p, count, channels, 0, pixels, weights};
    const int32_t reach = (p->kernel.columns - 1) * p->dilation.columns;
    const int32_t step = p->stride.columns * channels;
    memset(border, (int)p->zero_in, (size_t)channels);
    detc_window_weights(p, count, weights);
    pixels[2 * pairs - 1] = border; /* behind an odd count */
    for (int32_t y = 0; y < p->output.height; y++) {
        int32_t column = -p->pad.left;
        int inside = 0;
        for (int32_t x = 0; x < p->output.width; x++, column += p->stride.columns) {
            if (inside && column + reach < p->input.width) {
                window.offset += step; /* the window lies as before, further on */
            } else {
                window.offset = 0;
                inside = look(p, input, border, y * p->stride.rows - p->pad.top, column, pixels);
            }
            detc_window_multiply(&window, output);
            detc_activated(&p->to, output, channels);
            output += channels;
        }
    }
}
