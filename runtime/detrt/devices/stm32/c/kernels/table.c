/* Any function of one number. */
#include "detc_arithmetic.h"

void detc_table(const detc_table_params *p, const int8_t *input, int8_t *output)
{
    detc_looked_up(p->table, input, output, p->count);
}
