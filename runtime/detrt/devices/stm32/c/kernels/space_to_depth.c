/* Blocks of pixels as channels. */
#include "detc_arithmetic.h"

void detc_space_to_depth(const detc_space_to_depth_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->input.channels, width = p->input.width, block = p->block;
    for (int32_t y = 0; y + block <= p->input.height; y += block) {
        for (int32_t x = 0; x + block <= width; x += block) {
            for (int32_t i = 0; i < block * block; i++, output += channels) {
                const int32_t pixel = (y + p->order[i].rows) * width + x + p->order[i].columns;
                detc_copy(output, input + pixel * channels, channels);
            }
        }
    }
}
