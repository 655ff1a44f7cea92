/* The channels of several maps, one behind the other. */
#include "detc_arithmetic.h"

void detc_concat(const detc_concat_params *p, const int8_t *const *inputs, int8_t *output)
{
    int32_t all = 0, before = 0;
    for (int32_t i = 0; i < p->inputs; i++) {
        all += p->channels[i];
    }
    for (int32_t i = 0; i < p->inputs; i++) {
        const int32_t channels = p->channels[i];
        const int8_t *const table = p->tables ? p->tables[i] : 0;
        for (int32_t pixel = 0; pixel < p->pixels; pixel++) {
            const int8_t *const from = inputs[i] + pixel * channels;
            int8_t *const to = output + pixel * all + before;
            if (table) {
                detc_looked_up(table, from, to, channels);
            } else {
                detc_copy(to, from, channels);
            }
        }
        before += channels;
    }
}
