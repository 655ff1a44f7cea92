/* Channels [groups][n] as [n][groups]. */
#include "detc_arithmetic.h"

void detc_shuffle(const detc_shuffle_params *p, const int8_t *input, int8_t *output)
{
    const int32_t n = p->channels / p->groups;
    for (int32_t pixel = 0; pixel < p->pixels; pixel++, input += p->channels) {
        for (int32_t i = 0; i < n; i++) {
            for (int32_t group = 0; group < p->groups; group++) {
                *output++ = input[group * n + i];
            }
        }
    }
}
