/* Some of the channels. */
#include "detc_arithmetic.h"

void detc_channels(const detc_channels_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t pixel = 0; pixel < p->pixels; pixel++) {
        const int8_t *from = input + pixel * p->channels + p->first;
        for (int32_t c = 0; c < p->count; c++, from += p->every) {
            *output++ = *from;
        }
    }
}
