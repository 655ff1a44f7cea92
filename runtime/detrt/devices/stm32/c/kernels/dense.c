/* A fully connected layer. */
#include "multiply.h"

void detc_dense(const detc_dense_params *p, const int8_t *input, int8_t *output, void *scratch)
{
    const detc_filters filters = {p->outputs, p->inputs, p->weights, p->bias, p->rescale, p->to};
    detc_multiply_pixel(&filters, input, scratch, output);
    detc_activated(&p->to, output, p->outputs);
}
