/* The same numbers with their axes in another order. */
#include "detc_arithmetic.h"

void detc_reorder(const detc_reorder_params *p, const int8_t *input, int8_t *output)
{
    const int32_t steps[3] = {p->shape[1] * p->shape[2], p->shape[2], 1};
    const int32_t a = p->axes[0], b = p->axes[1], c = p->axes[2];
    for (int32_t i = 0; i < p->shape[a]; i++) {
        for (int32_t j = 0; j < p->shape[b]; j++) {
            const int8_t *from = input + i * steps[a] + j * steps[b];
            for (int32_t k = 0; k < p->shape[c]; k++, from += steps[c]) {
                *output++ = *from;
            }
        }
    }
}
