/* The pointwise convolution: detc_conv calls it where it can. */
#ifndef DETC_POINTWISE_H
#define DETC_POINTWISE_H

#include "multiply.h"

/* 1x1, no pad, one group; any stride. */
void detc_pointwise(const detc_conv_params *params, const int8_t *input, int8_t *output, int8_t *scratch);

#endif
