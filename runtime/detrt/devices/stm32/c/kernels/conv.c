/* A convolution: patches of the input are gathered, four at a time, and multiplied with all filters. */
#include "pointwise.h"

/* The window of output (y, x) on the channels first .. first + inner - 1: int8 [rows][columns][inner]. */
DETC_INLINE void gather(
    const detc_conv_params *p, const int8_t *input, int32_t y, int32_t x, int32_t first, int32_t inner, int8_t *to)
{
    const int32_t channels = p->input.channels, width = p->input.width;
    const int32_t left = x * p->stride.columns - p->pad.left;
    int32_t row = y * p->stride.rows - p->pad.top;
    const int32_t apart = p->dilation.columns, columns = p->kernel.columns;
    const int together = apart == 1 && inner == channels && left >= 0 && left + columns <= width;
    for (int32_t r = p->kernel.rows; r > 0; r--, row += p->dilation.rows, to += columns * inner) {
        if (row < 0 || row >= p->input.height) {
            memset(to, (int)p->zero_in, (size_t)(columns * inner));
        } else if (together) {
            detc_copy(to, input + (row * width + left) * channels, columns * inner);
        } else {
            int32_t column = left;
            for (int32_t c = 0; c < columns; c++, column += apart) {
                if (column < 0 || column >= width) {
                    memset(to + c * inner, (int)p->zero_in, (size_t)inner);
                } else {
                    detc_copy(to + c * inner, input + (row * width + column) * channels + first, inner);
                }
            }
        }
    }
}

/* One group: its inputs start at channel `first`, its outputs at `output`. */
DETC_INLINE void convolve(
    const detc_conv_params *params, const detc_filters *filters, int32_t first, const int8_t *input, int8_t *output, int8_t *lanes)
{
    const detc_conv_params copy = *params, *const p = &copy; /* what is written does not change it */
    const int32_t k = filters->k, inner = p->input.channels / p->groups, channels = p->output.channels;
    int8_t *const patch = lanes + (k + 1) / 2 * 16;
    int32_t pixels = p->output.height * p->output.width, y = 0, x = 0;
    while (pixels > 0) {
        const int32_t taken = pixels >= DETC_LANES ? DETC_LANES : 1;
        for (int32_t lane = 0; lane < taken; lane++) {
            int8_t *const to = taken > 1 ? detc_lane_patch(lanes, lane, patch, k) : patch;
            gather(p, input, y, x, first, inner, to);
            if (taken > 1) {
                detc_lane(lanes, lane, to, k);
            }
            if (++x == p->output.width) {
                x = 0;
                y++;
            }
        }
        if (taken > 1) {
            detc_multiply_lanes(filters, lanes, output, channels);
        } else {
            detc_multiply_pixel(filters, patch, lanes, output);
        }
        output += taken * channels;
        pixels -= taken;
    }
}

static int is_pointwise(const detc_conv_params *p)
{
    return p->kernel.rows == 1 && p->kernel.columns == 1 && p->groups == 1 && p->pad.top == 0 && p->pad.left == 0 &&
           (p->output.height - 1) * p->stride.rows < p->input.height &&
           (p->output.width - 1) * p->stride.columns < p->input.width;
}

void detc_conv(const detc_conv_params *p, const int8_t *input, int8_t *output, void *scratch)
{
    if (is_pointwise(p)) {
        detc_pointwise(p, input, output, scratch);
        return;
    }
    const int32_t count = p->output.channels / p->groups, inner = p->input.channels / p->groups;
    const int32_t k = p->kernel.rows * p->kernel.columns * inner;
    for (int32_t group = 0; group < p->groups; group++) {
        const int32_t from = group * count;
        const detc_rescales rescale = {
            p->rescale.multiplier + from, p->rescale.left ? p->rescale.left + from : 0, p->rescale.right + from};
        const detc_filters filters = {count, k, p->weights + from * k, p->bias + from, rescale, p->to};
        convolve(p, &filters, group * inner, input, output + from, scratch);
    }
    detc_activated(&p->to, output, p->output.height * p->output.width * p->output.channels);
}
