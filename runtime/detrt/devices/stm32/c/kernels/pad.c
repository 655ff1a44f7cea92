/* A border around a map. */
#include "detc_arithmetic.h"

void detc_pad(const detc_pad_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->input.channels;
    const int32_t row = p->input.width * channels, wide = p->output.width * channels;
    const int32_t left = p->pad.left * channels, right = wide - left - row;
    for (int32_t y = 0; y < p->output.height; y++, output += wide) {
        if (y < p->pad.top || y >= p->pad.top + p->input.height) {
            memset(output, (int)p->zero, (size_t)wide);
        } else {
            memset(output, (int)p->zero, (size_t)left);
            memcpy(output + left, input, (size_t)row);
            memset(output + left + row, (int)p->zero, (size_t)right);
            input += row;
        }
    }
}
