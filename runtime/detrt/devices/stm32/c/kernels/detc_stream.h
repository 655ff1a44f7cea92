/* Steps that take turns row by row, so that the maps between them never lie in memory whole.

   A stream goes down its last map row by row: a step computes its next row as soon as the rows that this one stands on are there,
   and asks the steps before it for those that are not. Of a map between steps only the rows that are still read are kept, in a
   window; what lies above is dropped, and the rest moved to the window's top. No number is computed twice. The planner counts the
   rows of the windows in the same way. */
#ifndef DETC_STREAM_H
#define DETC_STREAM_H

#include <stdint.h>

#define DETC_STREAM_MOST 12   /* steps of a stream */
#define DETC_STREAM_INPUTS 8  /* maps that a step reads row by row */

/* A map of `height` rows of `row` bytes: all of them at `at`, or a window. */
typedef struct {
    int8_t *at;
    int32_t row, height;
} detc_rows;

/* What a step is called with: `rows` rows of its output. Its inputs begin at the first row that these stand on, and have `height`
   rows from there on, below `top` rows of padding. */
typedef struct {
    const int8_t *inputs[DETC_STREAM_INPUTS];
    int8_t *output;
    int32_t rows, height, top;
} detc_band;

/* Row r of the output stands on rows r / grain * stride - top and the extent - 1 that follow, as far as there are any; `grain` rows
   are always computed together. `reads` are numbers of maps. */
typedef struct {
    void (*run)(const detc_band *band);
    int32_t stride, top, extent, grain;
    int32_t inputs;
    const uint8_t *reads;
} detc_stream_step;

/* `maps` are the outputs of all steps, in their order, and then the maps that they read from outside. All but the last step's output
   and those from outside are windows. */
typedef struct {
    int32_t steps;
    const detc_stream_step *step;
    const detc_rows *maps;
} detc_stream;

void detc_run_stream(const detc_stream *stream);

#endif
